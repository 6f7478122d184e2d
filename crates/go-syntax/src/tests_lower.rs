//! Lowering, construct by construct.

use crate::ast::*;
use crate::{dump, parse_file};

#[track_caller]
fn file(text: &str) -> std::sync::Arc<File> {
    parse_file(text).file
}

/// The only declaration of a file, dumped.
#[track_caller]
fn decl(text: &str) -> String {
    let text = format!("package p\n\n{text}\n");
    let file = file(&text);
    assert_eq!(file.errors, [], "{text}");
    assert_eq!(file.decls.len(), 1, "{text}");
    assert!(!file.decls[0].tree.has_error, "{text}");
    dump(&file.decls[0].tree)
}

#[track_caller]
fn stmts(text: &str) -> String {
    let all = decl(&format!("func f() {{\n{text}\n}}"));
    let inner = all
        .strip_prefix("(func f() {")
        .and_then(|t| t.strip_suffix("})"));
    inner.unwrap_or(&all).to_owned()
}

#[track_caller]
fn ty(text: &str) -> String {
    let all = decl(&format!("type T {text}"));
    let inner = all
        .strip_prefix("(type (T ")
        .and_then(|t| t.strip_suffix("))"));
    inner.unwrap_or(&all).to_owned()
}

#[track_caller]
fn eq(found: String, wanted: &str) {
    assert_eq!(found, wanted, "\n found: {found}\nwanted: {wanted}\n");
}

#[test]
fn functions() {
    eq(decl("func f()"), "(func f())");
    eq(
        decl("func f(a, b int, c ...string) (x int, err error) { return }"),
        "(func f(a int, b int, c ...string)(x int, err error) {(return)})",
    );
    eq(
        decl("func f(int, string) error {}"),
        "(func f(int, string)(error) {})",
    );
    eq(decl("func f(...int) *T {}"), "(func f(...int)((* T)) {})");
    eq(
        decl("func f(a []int, b [3]int, c map[string]int, d func(int) bool) <-chan int {}"),
        "(func f(a []int, b [3]int, c (map string int), d (functype (int)(bool)))((<-chan int)) {})",
    );
    eq(
        decl("func f(ctx context.Context, _ int) {}"),
        "(func f(ctx (. context Context), _ int) {})",
    );
    eq(
        decl("func f[T any, K, V comparable](m map[K]V) T {}"),
        "(func f[T any, K comparable, V comparable](m (map K V))(T) {})",
    );
    eq(
        decl("func f[S ~[]E, E int | ~string]() {}"),
        "(func f[S (~ []E), E (| int (~ string))]() {})",
    );
    eq(
        decl("func f(x pkg.T[int, string]) {}"),
        "(func f(x (index (. pkg T) int string)) {})",
    );
}

#[test]
fn methods() {
    eq(decl("func (r *T) M() {}"), "(func M recv:(r (* T))() {})");
    eq(decl("func (T) M() {}"), "(func M recv:(T)() {})");
    eq(
        decl("func (r *T[K]) M() {}"),
        "(func M recv:(r (* (index T K)))() {})",
    );
    eq(
        decl("func (r T[K, V]) M() {}"),
        "(func M recv:(r (index T K V))() {})",
    );
    eq(
        decl("func (r *T[_]) M(x int) (y int) {}"),
        "(func M recv:(r (* (index T _)))(x int)(y int) {})",
    );
    // Go 1.27
    eq(
        decl("func (r *T[K]) M[E any](f func(K) E) []E {}"),
        "(func M recv:(r (* (index T K)))[E any](f (functype (K)(E)))([]E) {})",
    );
}

#[test]
fn values() {
    eq(decl("var x int"), "(var (x :int))");
    eq(decl("var x, y = 1, f()"), "(var (x,y = 1 (call f)))");
    eq(
        decl("var (\n\ta T = b\n\n\tc = 1 // c\n)"),
        "(var (a :T = b) (c = 1))",
    );
    eq(
        decl("const (\n\ta, b = iota, 'x'\n\tc, d\n\te T = 1 << iota\n)"),
        "(const (a,b = iota 'x') (c,d) (e :T = (Shl 1 iota)))",
    );
    eq(decl("var ()"), "(var)");
    let file = file("package p\nconst (\n\ta = iota\n\tb\n)\n");
    let DeclKind::Const(specs) = &file.decls[0].tree.kind else {
        panic!()
    };
    assert_eq!(specs.iter().map(|s| s.index).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn types() {
    eq(ty("int"), "int");
    eq(decl("type A = B"), "(type (A = B))");
    eq(
        decl("type A[T any] = map[string]T"),
        "(type (A[T any] = (map string T)))",
    );
    eq(
        decl("type (\n\tA int\n\tB = pkg.C\n)"),
        "(type (A int) (B = (. pkg C)))",
    );
    eq(
        decl("type L[T any] struct { next *L[T] }"),
        "(type (L[T any] (struct (next (* (index L T))))))",
    );
    eq(
        decl("type P[T *int,] struct{}"),
        "(type (P[T (* int)] (struct)))",
    );
    eq(ty("[N]int"), "[N]int");
    eq(ty("[2 * N]*T"), "[(Mul 2 N)](* T)");
    eq(
        ty(
            "struct {\n\ta, b int `json:\"a\"`\n\t*T\n\tpkg.U `x`\n\tV[int]\n\t*pkg.W[K]\n\t_ [0]func()\n}",
        ),
        "(struct (a,b int) ((* T)) ((. pkg U)) ((index V int)) ((* (index (. pkg W) K))) (_ [0](functype ())))",
    );
    eq(
        ty(
            "interface {\n\tio.Reader\n\tM(x int) (y, z int)\n\tN()\n\t~int | ~[]byte | pkg.T[K]\n\tcomparable\n}",
        ),
        "(interface (. io Reader) M(x int)(y int, z int) N() (| (~ int) (~ []byte) (index (. pkg T) K)) comparable)",
    );
    eq(ty("interface{}"), "(interface)");
    eq(ty("chan<- chan int"), "(chan<- (chan int))");
    eq(ty("<-chan func()"), "(<-chan (functype ()))");
    eq(ty("chan (<-chan int)"), "(chan (paren (<-chan int)))");
    eq(ty("chan <-chan int"), "(chan<- (chan int))");
    eq(ty("chan <-chan <-chan int"), "(chan<- (chan<- (chan int)))");
    eq(ty("chan<- <-chan int"), "(chan<- (<-chan int))");
    eq(ty("(*pkg.T)"), "(paren (* (. pkg T)))");
    eq(
        ty("func(a, b int) (func() error)"),
        "(functype (a int, b int)((functype ()(error))))",
    );
    eq(
        ty("map[[2]string]interface{ M() }"),
        "(map [2]string (interface M()))",
    );
}

#[test]
fn calls_and_conversions() {
    eq(stmts("f(a, b...)"), "(call f a b...)");
    eq(stmts("f(g()...)"), "(call f (call g)...)");
    eq(stmts("F[int](x)"), "(call (index F int) x)");
    eq(
        stmts("F[int, string](x, y)"),
        "(call (index F int string) x y)",
    );
    eq(
        stmts("x := pkg.F[*T](y)"),
        "(:= x <- (call (index (. pkg F) (* T)) y))",
    );
    eq(stmts("x := F[int]"), "(:= x <- (index F int))");
    eq(
        stmts("x := F[[]int, map[K]V]"),
        "(:= x <- (index F []int (map K V)))",
    );
    eq(stmts("_ = T(x)"), "(= _ <- (call T x))");
    eq(stmts("_ = []byte(s)"), "(= _ <- (call []byte s))");
    eq(stmts("_ = (*T)(nil)"), "(= _ <- (call (paren (* T)) nil))");
    eq(
        stmts("_ = (func())(x)"),
        "(= _ <- (call (paren (functype ())) x))",
    );
    eq(
        stmts("_ = (chan<- int)(c)"),
        "(= _ <- (call (paren (chan<- int)) c))",
    );
    eq(
        stmts("_ = map[string]int(m)"),
        "(= _ <- (call (map string int) m))",
    );
    eq(stmts("_ = interface{}(x)"), "(= _ <- (call (interface) x))");
    eq(stmts("_ = struct{}{}"), "(= _ <- (lit (struct)))");
    eq(stmts("_ = new(T)"), "(= _ <- (call new T))");
    eq(
        stmts("_ = new(*pkg.T)"),
        "(= _ <- (call new (* (. pkg T))))",
    );
    eq(stmts("_ = new(1 + x)"), "(= _ <- (call new (Add 1 x)))");
    eq(stmts("_ = new(f(x))"), "(= _ <- (call new (call f x)))");
    eq(
        stmts("_ = make(chan struct{}, n)"),
        "(= _ <- (call make (chan (struct)) n))",
    );
    eq(
        stmts("_ = make([]T, 0, len(x),)"),
        "(= _ <- (call make []T 0 (call len x)))",
    );
    eq(stmts("T.M(x)"), "(call (. T M) x)");
    eq(stmts("(*T).M(x)"), "(call (. (paren (* T)) M) x)");
    eq(
        stmts("x.a.b().c[0](y)"),
        "(call (index (. (call (. (. x a) b)) c) 0) y)",
    );
    eq(stmts("func() { g() }()"), "(call (func () {(call g)}))");
    eq(stmts("panic(nil)"), "(call panic nil)");
}

#[test]
fn expressions() {
    eq(
        stmts("_ = a + b*c - -d"),
        "(= _ <- (Sub (Add a (Mul b c)) (Minus d)))",
    );
    eq(
        stmts("_ = !a && b || c == d"),
        "(= _ <- (LogicalOr (LogicalAnd (Not a) b) (Eq c d)))",
    );
    eq(
        stmts("_ = a &^ b | ^c"),
        "(= _ <- (Or (AndNot a b) (Complement c)))",
    );
    eq(stmts("_ = <-c"), "(= _ <- (Receive c))");
    eq(stmts("_ = *p.x"), "(= _ <- (* (. p x)))");
    eq(stmts("_ = &T{}"), "(= _ <- (Address (lit T)))");
    eq(stmts("_ = (((x)))"), "(= _ <- (paren (paren (paren x))))");
    eq(stmts("_ = x[:]"), "(= _ <- (slice x _ _ _))");
    eq(stmts("_ = x[a:]"), "(= _ <- (slice x a _ _))");
    eq(stmts("_ = x[:b]"), "(= _ <- (slice x _ b _))");
    eq(stmts("_ = x[a:b:c]"), "(= _ <- (slice x a b c))");
    eq(stmts("_ = x[:b:c]"), "(= _ <- (slice x _ b c))");
    eq(stmts("_ = x.(T)"), "(= _ <- (assert x T))");
    eq(
        stmts("_ = x.(interface{ Close() error })"),
        "(= _ <- (assert x (interface Close()(error))))",
    );
    eq(
        stmts("_ = [...]int{1, 2: 3}"),
        "(= _ <- (lit [...]int 1 2: 3))",
    );
    eq(
        stmts("_ = []T{{1, 2}, {x: {y}}}"),
        "(= _ <- (lit []T (lit _ 1 2) (lit _ x: (lit _ y))))",
    );
    eq(
        stmts("_ = map[K]V{{1}: {2},}"),
        "(= _ <- (lit (map K V) (lit _ 1): (lit _ 2)))",
    );
    eq(
        stmts("_ = pkg.T[int]{a: b}"),
        "(= _ <- (lit (index (. pkg T) int) a: b))",
    );
    eq(
        stmts("_ = T{f: func(x int) int { return x }}"),
        "(= _ <- (lit T f: (func (x int)(int) {(return x)})))",
    );
    eq(
        stmts("_, _, _ = 0x1p-2, 1i, `a\nb`"),
        "(= _ _ _ <- 0x1p-2 1i `a\nb`)",
    );
    eq(stmts("f(/* a */ x, // b\n\ty)"), "(call f x y)");
}

#[test]
fn simple_statements() {
    eq(stmts("x++; y--"), "(++ x); (-- y)");
    eq(
        stmts("x += 1\ny <<= 2\nz &^= 3"),
        "(Add= x <- 1); (Shl= y <- 2); (AndNot= z <- 3)",
    );
    eq(stmts("a, b := c, <-d"), "(:= a b <- c (Receive d))");
    eq(stmts("a[i], *b = b, a"), "(= (index a i) (* b) <- b a)");
    eq(stmts("ch <- v"), "(send ch v)");
    eq(stmts("<-ch"), "(Receive ch)");
    eq(
        stmts("go f(x)\ndefer func() { recover() }()"),
        "(go (call f x)); (defer (call (func () {(call recover)})))",
    );
    eq(stmts("return a, b"), "(return a b)");
    eq(
        stmts("var x = 1\nconst c = 2\ntype T struct{}"),
        "(var (x = 1)); (const (c = 2)); (type (T (struct)))",
    );
    eq(stmts("{ { } }"), "(block {(block {})})");
    eq(
        stmts("L: for { break L }\ngoto L"),
        "(L: (for _ _ _ {(Break L)})); (Goto L)",
    );
    eq(stmts("x()\nend:"), "(call x); (end: empty)");
    eq(stmts("for { ; }"), "(for _ _ _ {empty})");
}

#[test]
fn control_flow() {
    eq(
        stmts("if a { } else if b := c(); d { } else { e() }"),
        "(if _ a {} (if (:= b <- (call c)) d {} (block {(call e)})))",
    );
    eq(stmts("if f(); x {}"), "(if (call f) x {} _)");
    eq(stmts("for {}"), "(for _ _ _ {})");
    eq(stmts("for x {}"), "(for _ x _ {})");
    eq(
        stmts("for i := 0; i < n; i++ {}"),
        "(for (:= i <- 0) (Lt i n) (++ i) {})",
    );
    eq(
        stmts("for ; ; i++ { continue }"),
        "(for _ _ (++ i) {(Continue)})",
    );
    eq(stmts("for i := 0; ; {}"), "(for (:= i <- 0) _ _ {})");
    eq(stmts("for range 10 {}"), "(range _ _ 10 {})");
    eq(stmts("for i := range 10 {}"), "(range:= i _ 10 {})");
    eq(stmts("for k, v = range m {}"), "(range k v m {})");
    eq(
        stmts("for x := range seq(y) {}"),
        "(range:= x _ (call seq y) {})",
    );
    eq(stmts("for range ch {}"), "(range _ _ ch {})");
    eq(
        stmts("switch { case a, b: x(); fallthrough\ndefault: }"),
        "(switch _ _ (case a b: (call x); (Fallthrough)) (default: ))",
    );
    eq(
        stmts("switch x := f(); x { case 1:\n}"),
        "(switch (:= x <- (call f)) x (case 1: ))",
    );
    eq(stmts("switch f(); { }"), "(switch (call f) _)");
    eq(stmts("switch f() { }"), "(switch _ (call f))");
    eq(
        stmts("switch x.(type) { case nil, *T: a()\ncase []int, func(), pkg.U: b() }"),
        "(typeswitch _ _ x (case nil (* T): (call a)) (case []int (functype ()) (. pkg U): (call b)))",
    );
    eq(
        stmts("switch y := 1; v := f(y).(type) { default: }"),
        "(typeswitch (:= y <- 1) v (call f y) (default: ))",
    );
    eq(
        stmts(
            "select { case v, ok := <-c: a()\ncase x = <-d:\ncase <-e:\ncase f <- g:\n\th()\ndefault:\n}",
        ),
        "(select (case (:= v ok <- (Receive c)): (call a)) (case (= x <- (Receive d)): ) (case (Receive e): ) \
         (case (send f g): (call h)) (case _: ))",
    );
    eq(stmts("select {}"), "(select)");
}

#[test]
fn imports() {
    let text = "package p\n\nimport \"fmt\"\n\nimport (\n\tx \"a/b\" // c\n\t. \"d\"\n\t_ `e`\n)\n";
    let file = file(text);
    assert_eq!(file.errors, []);
    let found: Vec<_> = file
        .imports
        .iter()
        .map(|i| {
            (
                i.path.as_str(),
                &text[i.range],
                &text[i.path_range],
                i.grouped,
                &text[i.decl_range][..6],
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("fmt", "\"fmt\"", "\"fmt\"", false, "import"),
            ("a/b", "x \"a/b\"", "\"a/b\"", true, "import"),
            ("d", ". \"d\"", "\"d\"", true, "import"),
            ("e", "_ `e`", "`e`", true, "import"),
        ]
    );
    assert!(matches!(file.imports[0].alias, ImportAlias::None));
    let ImportAlias::Named(x) = file.imports[1].alias else {
        panic!()
    };
    assert_eq!((x.name.as_str(), &text[x.range]), ("x", "x"));
    assert!(matches!(file.imports[2].alias, ImportAlias::Dot));
    assert!(matches!(file.imports[3].alias, ImportAlias::Blank));
    assert_eq!(file.comments.len(), 1);
}

#[test]
fn file_parts() {
    let text = "// Code generated by x. DO NOT EDIT.\r\n\r\npackage p // a\r\n\r\n/* b */ func f() { // c\r\n}\r\n";
    let file = file(text);
    assert!(file.generated);
    assert_eq!(file.package.unwrap().name, "p");
    assert_eq!(&text[file.package.unwrap().range], "p");
    let comments: Vec<_> = file
        .comments
        .iter()
        .map(|c| (c.text(text), c.block))
        .collect();
    assert_eq!(
        comments,
        [
            ("// Code generated by x. DO NOT EDIT.", false),
            ("// a", false),
            ("/* b */", true),
            ("// c", false)
        ]
    );
    assert_eq!(&text[file.decls[0].range()], "func f() { // c\r\n}");
    assert!(!self::file("package p\n\n// Code generated by x. DO NOT EDIT.\n").generated);
    assert!(
        self::file("// Copyright\n\n// Code generated by x. DO NOT EDIT.\npackage p\n").generated
    );
    assert!(!self::file("// Code generated by hand.\npackage p\n").generated);
}

#[test]
fn last_line_without_newline() {
    for text in [
        "var x int",
        "type T int",
        "const c = 1",
        "func f()",
        "func f() {}",
        "import \"a\"",
        "var x int // c",
        "var x = `a`",
    ] {
        let file = file(&format!("package p\n\n{text}"));
        assert_eq!(file.errors, [], "{text}");
        let ends = file.decls.iter().all(|d| d.range().end() <= file.len);
        assert!(ends && file.decls.len() + file.imports.len() == 1, "{text}");
    }
    assert_eq!(file("package p").package.unwrap().name, "p");
}

#[test]
fn ranges_are_relative() {
    let text = "package p\n\nvar x int\n\nfunc f(a int) (b string) {\n\treturn g(a)\n}\n";
    let file = file(text);
    let decl = &file.decls[1];
    let source = &text[decl.range()];
    let func = decl.tree.func().unwrap();
    assert_eq!(&source[func.name.range], "f");
    assert_eq!(&source[func.signature.range], "(a int) (b string)");
    assert_eq!(&source[func.signature.params[0].range], "a int");
    let body = func.body.as_ref().unwrap();
    assert_eq!(&source[body.range], "{\n\treturn g(a)\n}");
    assert_eq!(&source[decl.tree[body.stmts[0]].range], "return g(a)");
    let moved = self::file(&format!("package p\n\n{}", &text[decl.range()]));
    assert_eq!(moved.decls[0].tree, decl.tree);
    assert_eq!(
        format!("{:?}", moved.decls[0].tree),
        format!("{:?}", decl.tree)
    );
}

#[test]
fn case_ranges() {
    let text = "package p\nfunc f() {\n\tswitch {\n\tcase a:\n\t\tx()\n\n\tcase b:\n\n\tdefault:\n\t}\n}\n";
    let file = file(text);
    let tree = &file.decls[0].tree;
    let source = &text[file.decls[0].range()];
    let cases = tree
        .walk_decl(crate::Literals::Enter)
        .find_map(|n| match &tree[n.stmt()?].kind {
            StmtKind::Switch { cases, .. } => Some(cases),
            _ => None,
        })
        .unwrap();
    let found: Vec<_> = cases.iter().map(|c| &source[c.range]).collect();
    assert_eq!(found, ["case a:\n\t\tx()", "case b:", "default:"]);
}

#[test]
fn walks() {
    let text = "package p\nfunc f() { a(func() { b() }); c() }\n";
    let file = file(text);
    let tree = &file.decls[0].tree;
    let names = |literals| {
        let walk = tree.walk_decl(literals);
        let names = walk.filter_map(|n| tree.ident(n.expr()?));
        names.map(|i| i.name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(names(crate::Literals::Enter), ["a", "b", "c"]);
    assert_eq!(names(crate::Literals::Skip), ["a", "c"]);
    let mut walk = tree.walk_decl(crate::Literals::Enter);
    walk.next();
    walk.skip_children();
    let rest = walk.filter_map(|n| tree.ident(n.expr()?)).count();
    assert_eq!(rest, 1);
}

#[test]
fn literal_values() {
    let value = |text: &str, kind| Literal {
        kind,
        text: Some(text.into()),
    };
    let string = |text: &str| value(text, LiteralKind::String).string_value();
    assert_eq!(
        string(r#""a\n\x41\u00e9\101\"""#).as_deref(),
        Some("a\nA\u{e9}A\"")
    );
    assert_eq!(string("`a\r\n\\n`").as_deref(), Some("a\n\\n"));
    assert_eq!(string(r#""\xc3\xa9""#).as_deref(), Some("\u{e9}"));
    assert_eq!(string(r#""\xff""#), None);
    assert_eq!(string(r#""\u+123""#), None);
    assert_eq!(string(r#""\é""#), None);
    let int = |text: &str| value(text, LiteralKind::Int).int_value();
    assert_eq!(int("1_000"), Some(1000));
    assert_eq!(int("0x_ff"), Some(255));
    assert_eq!(int("0X1F"), Some(31));
    assert_eq!(int("0o17"), Some(15));
    assert_eq!(int("017"), Some(15));
    assert_eq!(int("0b101"), Some(5));
    assert_eq!(int("0"), Some(0));
    assert_eq!(int("99999999999999999999"), None);
    let rune = |text: &str| value(text, LiteralKind::Rune).int_value();
    assert_eq!(rune("'a'"), Some(97));
    assert_eq!(rune(r"'\n'"), Some(10));
    assert_eq!(rune(r"'\''"), Some(39));
    assert_eq!(rune("'é'"), Some(0xe9));
}

#[test]
fn long_literals_keep_no_text() {
    let text = format!("var x = \"{}\"", "a".repeat(300));
    eq(decl(&text), "(var (x = LONG))");
}
