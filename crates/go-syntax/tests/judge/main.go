// Judge prints the declarations of Go files as go/parser sees them, in the form of go_syntax::dump. Each argument is a folder.
package main

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, root := range os.Args[1:] {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && d.Name() == "testdata" {
				return filepath.SkipDir
			}
			if d.Type().IsRegular() && strings.HasSuffix(path, ".go") {
				file(out, path)
			}
			return nil
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func file(out *bufio.Writer, path string) {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Fprintf(out, "FILE %s\n", path)
	for _, decl := range f.Decls {
		if g, ok := decl.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
			continue
		}
		d := dumper{}
		d.decl(decl)
		text := strings.ReplaceAll(d.String(), "\r", "")
		fmt.Fprintln(out, strings.ReplaceAll(text, "\n", `\n`))
	}
}

type dumper struct{ strings.Builder }

func (d *dumper) p(parts ...string) {
	for _, part := range parts {
		d.WriteString(part)
	}
}

func (d *dumper) decl(decl ast.Decl) {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		d.p("(func ", decl.Name.Name)
		if decl.Recv != nil {
			d.p(" recv:")
			d.params(decl.Recv)
		}
		d.signature(decl.Type)
		if decl.Body != nil {
			d.block(decl.Body)
		}
		d.p(")")
	case *ast.GenDecl:
		d.p("(", decl.Tok.String())
		for _, spec := range decl.Specs {
			d.p(" (")
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				d.names(spec.Names)
				if spec.Type != nil {
					d.p(" :")
					d.expr(spec.Type)
				}
				if len(spec.Values) > 0 {
					d.p(" =")
					d.exprs(spec.Values)
				}
			case *ast.TypeSpec:
				d.p(spec.Name.Name)
				d.typeParams(spec.TypeParams)
				if spec.Assign.IsValid() {
					d.p(" = ")
				} else {
					d.p(" ")
				}
				d.expr(spec.Type)
			}
			d.p(")")
		}
		d.p(")")
	default:
		d.p("(bad)")
	}
}

func (d *dumper) names(names []*ast.Ident) {
	for i, name := range names {
		if i > 0 {
			d.p(",")
		}
		d.p(name.Name)
	}
}

func (d *dumper) typeParams(list *ast.FieldList) {
	if list == nil || len(list.List) == 0 {
		return
	}
	d.p("[")
	first := true
	for _, field := range list.List {
		for _, name := range field.Names {
			if !first {
				d.p(", ")
			}
			first = false
			d.p(name.Name, " ")
			d.constraint(field.Type)
		}
	}
	d.p("]")
}

func (d *dumper) constraint(e ast.Expr) {
	if _, ok := e.(*ast.BinaryExpr); !ok {
		d.expr(e)
		return
	}
	var terms []ast.Expr
	for {
		b, ok := e.(*ast.BinaryExpr)
		if !ok || b.Op != token.OR {
			break
		}
		terms = append([]ast.Expr{b.Y}, terms...)
		e = b.X
	}
	terms = append([]ast.Expr{e}, terms...)
	d.list("|", terms...)
}

func (d *dumper) params(list *ast.FieldList) {
	d.p("(")
	first := true
	one := func(name *ast.Ident, ty ast.Expr) {
		if !first {
			d.p(", ")
		}
		first = false
		if name != nil {
			d.p(name.Name, " ")
		}
		if e, ok := ty.(*ast.Ellipsis); ok {
			d.p("...")
			ty = e.Elt
		}
		d.expr(ty)
	}
	if list != nil {
		for _, field := range list.List {
			if len(field.Names) == 0 {
				one(nil, field.Type)
			}
			for _, name := range field.Names {
				one(name, field.Type)
			}
		}
	}
	d.p(")")
}

func (d *dumper) signature(t *ast.FuncType) {
	d.typeParams(t.TypeParams)
	d.params(t.Params)
	if t.Results.NumFields() > 0 {
		d.params(t.Results)
	}
}

func (d *dumper) block(b *ast.BlockStmt) {
	d.p(" {")
	d.stmts(b.List)
	d.p("}")
}

func (d *dumper) stmts(list []ast.Stmt) {
	for i, s := range list {
		if i > 0 {
			d.p("; ")
		}
		d.stmt(s)
	}
}

func (d *dumper) exprs(list []ast.Expr) {
	for _, e := range list {
		d.p(" ")
		d.expr(e)
	}
}

func (d *dumper) opt(e ast.Expr) {
	d.p(" ")
	if e == nil {
		d.p("_")
	} else {
		d.expr(e)
	}
}

func (d *dumper) list(head string, list ...ast.Expr) {
	d.p("(", head)
	d.exprs(list)
	d.p(")")
}

var unary = map[token.Token]string{
	token.ADD: "Plus", token.SUB: "Minus", token.NOT: "Not", token.XOR: "Complement", token.AND: "Address", token.ARROW: "Receive",
	token.TILDE: "~",
}

var binary = map[token.Token]string{
	token.ADD: "Add", token.SUB: "Sub", token.MUL: "Mul", token.QUO: "Div", token.REM: "Rem", token.AND: "And", token.OR: "Or",
	token.XOR: "Xor", token.AND_NOT: "AndNot", token.SHL: "Shl", token.SHR: "Shr", token.LAND: "LogicalAnd", token.LOR: "LogicalOr",
	token.EQL: "Eq", token.NEQ: "Ne", token.LSS: "Lt", token.LEQ: "Le", token.GTR: "Gt", token.GEQ: "Ge",
	token.ADD_ASSIGN: "Add=", token.SUB_ASSIGN: "Sub=", token.MUL_ASSIGN: "Mul=", token.QUO_ASSIGN: "Div=", token.REM_ASSIGN: "Rem=",
	token.AND_ASSIGN: "And=", token.OR_ASSIGN: "Or=", token.XOR_ASSIGN: "Xor=", token.AND_NOT_ASSIGN: "AndNot=",
	token.SHL_ASSIGN: "Shl=", token.SHR_ASSIGN: "Shr=", token.ASSIGN: "=", token.DEFINE: ":=",
}

func (d *dumper) expr(e ast.Expr) {
	switch e := e.(type) {
	case *ast.Ident:
		d.p(e.Name)
	case *ast.BasicLit:
		if len(e.Value) > 256 {
			d.p("LONG")
		} else {
			d.p(e.Value)
		}
	case *ast.CompositeLit:
		d.p("(lit")
		d.opt(e.Type)
		for _, elt := range e.Elts {
			d.p(" ")
			if kv, ok := elt.(*ast.KeyValueExpr); ok {
				d.expr(kv.Key)
				d.p(": ")
				elt = kv.Value
			}
			d.expr(elt)
		}
		d.p(")")
	case *ast.FuncLit:
		d.p("(func ")
		d.signature(e.Type)
		d.block(e.Body)
		d.p(")")
	case *ast.ParenExpr:
		d.list("paren", e.X)
	case *ast.SelectorExpr:
		d.p("(. ")
		d.expr(e.X)
		d.p(" ", e.Sel.Name, ")")
	case *ast.IndexExpr:
		d.list("index", e.X, e.Index)
	case *ast.IndexListExpr:
		d.list("index", append([]ast.Expr{e.X}, e.Indices...)...)
	case *ast.SliceExpr:
		d.p("(slice ")
		d.expr(e.X)
		d.opt(e.Low)
		d.opt(e.High)
		d.opt(e.Max)
		d.p(")")
	case *ast.TypeAssertExpr:
		d.p("(assert ")
		d.expr(e.X)
		d.opt(e.Type)
		d.p(")")
	case *ast.CallExpr:
		d.p("(call ")
		d.expr(e.Fun)
		d.exprs(e.Args)
		if e.Ellipsis.IsValid() {
			d.p("...")
		}
		d.p(")")
	case *ast.StarExpr:
		d.list("*", e.X)
	case *ast.UnaryExpr:
		d.list(unary[e.Op], e.X)
	case *ast.BinaryExpr:
		d.list(binary[e.Op], e.X, e.Y)
	case *ast.ArrayType:
		switch n := e.Len.(type) {
		case nil:
			d.p("[]")
		case *ast.Ellipsis:
			d.p("[...]")
		default:
			d.p("[")
			d.expr(n)
			d.p("]")
		}
		d.expr(e.Elt)
	case *ast.MapType:
		d.list("map", e.Key, e.Value)
	case *ast.ChanType:
		head := map[ast.ChanDir]string{ast.SEND | ast.RECV: "chan", ast.SEND: "chan<-", ast.RECV: "<-chan"}[e.Dir]
		d.list(head, e.Value)
	case *ast.FuncType:
		d.p("(functype ")
		d.signature(e)
		d.p(")")
	case *ast.StructType:
		d.p("(struct")
		for _, field := range e.Fields.List {
			d.p(" (")
			d.names(field.Names)
			if len(field.Names) > 0 {
				d.p(" ")
			}
			d.expr(field.Type)
			d.p(")")
		}
		d.p(")")
	case *ast.InterfaceType:
		d.p("(interface")
		for _, field := range e.Methods.List {
			d.p(" ")
			if len(field.Names) > 0 {
				d.p(field.Names[0].Name)
				d.signature(field.Type.(*ast.FuncType))
			} else {
				d.constraint(field.Type)
			}
		}
		d.p(")")
	default:
		d.p("BAD")
	}
}

func (d *dumper) optStmt(s ast.Stmt) {
	d.p(" ")
	if s == nil {
		d.p("_")
	} else {
		d.stmt(s)
	}
}

func (d *dumper) cases(body *ast.BlockStmt) {
	for _, s := range body.List {
		c := s.(*ast.CaseClause)
		if c.List == nil {
			d.p(" (default")
		} else {
			d.p(" (case")
		}
		d.exprs(c.List)
		d.p(": ")
		d.stmts(c.Body)
		d.p(")")
	}
	d.p(")")
}

func (d *dumper) stmt(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.EmptyStmt:
		d.p("empty")
	case *ast.ExprStmt:
		d.expr(s.X)
	case *ast.SendStmt:
		d.list("send", s.Chan, s.Value)
	case *ast.IncDecStmt:
		d.list(s.Tok.String(), s.X)
	case *ast.AssignStmt:
		d.p("(", binary[s.Tok])
		d.exprs(s.Lhs)
		d.p(" <-")
		d.exprs(s.Rhs)
		d.p(")")
	case *ast.GoStmt:
		d.list("go", s.Call)
	case *ast.DeferStmt:
		d.list("defer", s.Call)
	case *ast.ReturnStmt:
		d.list("return", s.Results...)
	case *ast.BranchStmt:
		name := s.Tok.String()
		d.p("(", strings.ToUpper(name[:1]), name[1:])
		if s.Label != nil {
			d.p(" ", s.Label.Name)
		}
		d.p(")")
	case *ast.BlockStmt:
		d.p("(block")
		d.block(s)
		d.p(")")
	case *ast.IfStmt:
		d.p("(if")
		d.optStmt(s.Init)
		d.opt(s.Cond)
		d.block(s.Body)
		d.optStmt(s.Else)
		d.p(")")
	case *ast.SwitchStmt:
		d.p("(switch")
		d.optStmt(s.Init)
		d.opt(s.Tag)
		d.cases(s.Body)
	case *ast.TypeSwitchStmt:
		d.p("(typeswitch")
		d.optStmt(s.Init)
		bind, subject := "_", ast.Expr(nil)
		switch a := s.Assign.(type) {
		case *ast.AssignStmt:
			bind = a.Lhs[0].(*ast.Ident).Name
			subject = a.Rhs[0]
		case *ast.ExprStmt:
			subject = a.X
		}
		d.p(" ", bind)
		d.opt(subject.(*ast.TypeAssertExpr).X)
		d.cases(s.Body)
	case *ast.SelectStmt:
		d.p("(select")
		for _, c := range s.Body.List {
			c := c.(*ast.CommClause)
			d.p(" (case")
			d.optStmt(c.Comm)
			d.p(": ")
			d.stmts(c.Body)
			d.p(")")
		}
		d.p(")")
	case *ast.ForStmt:
		d.p("(for")
		d.optStmt(s.Init)
		d.opt(s.Cond)
		d.optStmt(s.Post)
		d.block(s.Body)
		d.p(")")
	case *ast.RangeStmt:
		if s.Tok == token.DEFINE {
			d.p("(range:=")
		} else {
			d.p("(range")
		}
		d.opt(s.Key)
		d.opt(s.Value)
		d.opt(s.X)
		d.block(s.Body)
		d.p(")")
	case *ast.LabeledStmt:
		d.p("(", s.Label.Name, ": ")
		d.stmt(s.Stmt)
		d.p(")")
	case *ast.DeclStmt:
		d.decl(s.Decl)
	default:
		d.p("BAD")
	}
}
