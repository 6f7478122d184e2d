// Typejudge writes down what go/types says about the local variables of Go packages: parameters, results, receivers, variables,
// also those of function literals. stopleak's own answers are compared with it by `cargo xtask judge-types`.
//
// Packages are type-checked from source, without cgo, with everything that they import; nothing is built. Lines are separated by
// tabs:
//
//	P  import path  normal|test|external
//	F  absolute file name
//	L  byte offset  name  kind of type  methods that release  type
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

type listed struct {
	ImportPath   string
	Dir          string
	Name         string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
	TestImports  []string
	XTestImports []string
	ImportMap    map[string]string
	DepOnly      bool
}

type loader struct {
	fset    *token.FileSet
	goCmd   string
	dir     string
	listed  map[string]*listed
	checked map[string]*types.Package
	out     *bufio.Writer
	dump    map[string]bool
}

func main() {
	goCmd := flag.String("go", "go", "the go command")
	dir := flag.String("dir", ".", "where to run it")
	tests := flag.Bool("tests", false, "with test files")
	flag.Parse()
	patterns := flag.Args()
	l := &loader{
		fset: token.NewFileSet(), goCmd: *goCmd, dir: *dir,
		listed: make(map[string]*listed), checked: make(map[string]*types.Package),
		out: bufio.NewWriter(os.Stdout), dump: make(map[string]bool),
	}
	var order []string
	for _, pkg := range l.list(patterns) {
		if !pkg.DepOnly {
			l.dump[pkg.ImportPath] = true
			order = append(order, pkg.ImportPath)
		}
	}
	if *tests {
		needed := make(map[string]bool)
		for _, path := range order {
			pkg := l.listed[path]
			for _, imports := range [][]string{pkg.TestImports, pkg.XTestImports} {
				for _, path := range imports {
					if mapped := pkg.ImportMap[path]; mapped != "" {
						path = mapped
					}
					if l.listed[path] == nil && path != "C" && path != "unsafe" {
						needed[path] = true
					}
				}
			}
		}
		if len(needed) > 0 {
			var more []string
			for path := range needed {
				more = append(more, path)
			}
			sort.Strings(more)
			l.list(more)
		}
	}
	sort.Strings(order)
	for _, path := range order {
		l.load(path)
	}
	if *tests {
		for _, path := range order {
			l.tests(path)
		}
	}
	check(l.out.Flush())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "typejudge:", err)
		os.Exit(1)
	}
}

func (l *loader) list(patterns []string) []*listed {
	command := exec.Command(l.goCmd, append([]string{"list", "-e", "-deps", "-json"}, patterns...)...)
	command.Dir = l.dir
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOPROXY=off", "GOTOOLCHAIN=local")
	command.Stderr = os.Stderr
	text, err := command.Output()
	check(err)
	var out []*listed
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	for {
		pkg := new(listed)
		err := decoder.Decode(pkg)
		if errors.Is(err, io.EOF) {
			return out
		}
		check(err)
		if l.listed[pkg.ImportPath] == nil {
			l.listed[pkg.ImportPath] = pkg
		}
		out = append(out, pkg)
	}
}

type importer struct {
	l    *loader
	from *listed
	self *types.Package
}

func (i importer) Import(path string) (*types.Package, error) {
	if mapped := i.from.ImportMap[path]; mapped != "" {
		path = mapped
	}
	if i.self != nil && path == i.self.Path() {
		return i.self, nil
	}
	if pkg := i.l.load(path); pkg != nil {
		return pkg, nil
	}
	return nil, errors.New("no package " + path)
}

func (l *loader) load(path string) *types.Package {
	if path == "unsafe" {
		return types.Unsafe
	}
	if pkg, ok := l.checked[path]; ok {
		return pkg
	}
	l.checked[path] = nil
	info := l.listed[path]
	if info == nil {
		return nil
	}
	kind := ""
	if l.dump[path] {
		kind = "normal"
	}
	pkg := l.check(path, info, info.GoFiles, nil, kind)
	l.checked[path] = pkg
	return pkg
}

func (l *loader) tests(path string) {
	info := l.listed[path]
	self := l.checked[path]
	if len(info.TestGoFiles) > 0 {
		// The files of the package proper are not written again.
		self = l.check(path, info, append(append([]string(nil), info.GoFiles...), info.TestGoFiles...), nil, "test")
	}
	if len(info.XTestGoFiles) > 0 {
		l.check(path+"_test", info, info.XTestGoFiles, self, "external")
	}
}

func (l *loader) check(path string, info *listed, names []string, self *types.Package, kind string) *types.Package {
	var files []*ast.File
	for _, name := range names {
		file, err := parser.ParseFile(l.fset, filepath.Join(info.Dir, name), nil, parser.SkipObjectResolution)
		if file == nil {
			check(err)
		}
		files = append(files, file)
	}
	facts := &types.Info{}
	if kind != "" {
		facts.Defs = make(map[*ast.Ident]types.Object)
		facts.Implicits = make(map[ast.Node]types.Object)
	}
	config := types.Config{
		Importer:         importer{l, info, self},
		IgnoreFuncBodies: kind == "",
		FakeImportC:      true,
		Error:            func(error) {},
		Sizes:            types.SizesFor("gc", "amd64"),
	}
	pkg, _ := config.Check(path, l.fset, files, facts)
	if kind == "" {
		return pkg
	}
	fmt.Fprintf(l.out, "P\t%s\t%s\n", path, kind)
	for _, file := range files {
		name := l.fset.Position(file.Package).Filename
		if kind == "test" && !strings.HasSuffix(name, "_test.go") {
			continue
		}
		fmt.Fprintf(l.out, "F\t%s\n", name)
		l.locals(file, pkg, facts)
	}
	return pkg
}

func (l *loader) locals(file *ast.File, pkg *types.Package, facts *types.Info) {
	write := func(object types.Object) {
		variable, ok := object.(*types.Var)
		if !ok || variable.Name() == "_" || variable.Name() == "" {
			return
		}
		offset := l.fset.Position(variable.Pos()).Offset
		fmt.Fprintf(l.out, "L\t%d\t%s\t%s\t%s\t", offset, variable.Name(), kindOf(variable.Type()), releasing(variable.Type(), pkg))
		writeType(l.out, variable.Type())
		l.out.WriteByte('\n')
	}
	idents := func(list []*ast.Ident) {
		for _, name := range list {
			if object := facts.Defs[name]; object != nil {
				write(object)
			}
		}
	}
	fields := func(list *ast.FieldList) {
		if list != nil {
			for _, field := range list.List {
				idents(field.Names)
			}
		}
	}
	define := func(expressions ...ast.Expr) {
		for _, expression := range expressions {
			if name, ok := expression.(*ast.Ident); ok {
				idents([]*ast.Ident{name})
			}
		}
	}
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.FuncDecl:
			fields(node.Recv)
			fields(node.Type.Params)
			fields(node.Type.Results)
		case *ast.FuncLit:
			fields(node.Type.Params)
			fields(node.Type.Results)
		case *ast.AssignStmt:
			if node.Tok == token.DEFINE {
				define(node.Lhs...)
			}
		case *ast.RangeStmt:
			if node.Tok == token.DEFINE {
				define(node.Key, node.Value)
			}
		case *ast.DeclStmt:
			if decl, ok := node.Decl.(*ast.GenDecl); ok && decl.Tok == token.VAR {
				for _, spec := range decl.Specs {
					idents(spec.(*ast.ValueSpec).Names)
				}
			}
		case *ast.CaseClause:
			if object := facts.Implicits[node]; object != nil {
				write(object)
			}
		}
		return true
	})
}

func kindOf(t types.Type) string {
	t = types.Unalias(t)
	switch t := t.(type) {
	case *types.Basic:
		return "basic"
	case *types.TypeParam:
		return "type parameter"
	case *types.Named:
		if t.TypeArgs().Len() > 0 || t.TypeParams().Len() > 0 {
			return "generic"
		}
		if t.Obj().Pkg() != nil && t.Obj().Parent() != t.Obj().Pkg().Scope() {
			return "local"
		}
		switch t.Underlying().(type) {
		case *types.Struct:
			return "named struct"
		case *types.Interface:
			return "interface"
		case *types.Signature:
			return "named func"
		}
		return "named other"
	case *types.Pointer:
		if inner := kindOf(t.Elem()); inner == "generic" || inner == "type parameter" || inner == "local" {
			return inner
		}
		return "pointer"
	case *types.Slice, *types.Array:
		return "slice, array"
	case *types.Map:
		return "map"
	case *types.Chan:
		return "chan"
	case *types.Signature:
		return "func"
	case *types.Struct:
		return "struct"
	case *types.Interface:
		return "interface"
	}
	return "other"
}

var names = []string{"Close", "Stop", "Release", "Cancel", "Unlock", "End", "Commit", "Rollback", "Shutdown"}

func releasing(t types.Type, pkg *types.Package) string {
	var out []string
	for _, name := range names {
		if object, _, _ := types.LookupFieldOrMethod(t, true, pkg, name); object != nil {
			if _, ok := object.(*types.Func); ok {
				out = append(out, name)
			}
		}
	}
	return strings.Join(out, ",")
}

// writeType writes a type without names of parameters, aliases resolved, `byte` for uint8 and `any` for the empty interface.
func writeType(w *bufio.Writer, t types.Type) {
	switch t := types.Unalias(t).(type) {
	case *types.Basic:
		switch t.Kind() {
		case types.Uint8:
			w.WriteString("byte")
		case types.Int32:
			w.WriteString("int32")
		case types.Invalid:
			w.WriteString("!invalid")
		default:
			if t.Kind() == types.UnsafePointer {
				w.WriteString("unsafe.Pointer")
			} else {
				w.WriteString(t.Name())
			}
		}
	case *types.Named:
		if pkg := t.Obj().Pkg(); pkg != nil {
			w.WriteString(pkg.Path() + ".")
		}
		w.WriteString(t.Obj().Name())
		if n := t.TypeArgs().Len(); n > 0 {
			w.WriteByte('[')
			for i := range n {
				if i > 0 {
					w.WriteByte(',')
				}
				writeType(w, t.TypeArgs().At(i))
			}
			w.WriteByte(']')
		}
	case *types.TypeParam:
		w.WriteString(t.Obj().Name())
	case *types.Pointer:
		w.WriteByte('*')
		writeType(w, t.Elem())
	case *types.Slice:
		w.WriteString("[]")
		writeType(w, t.Elem())
	case *types.Array:
		w.WriteString("[" + strconv.FormatInt(t.Len(), 10) + "]")
		writeType(w, t.Elem())
	case *types.Map:
		w.WriteString("map[")
		writeType(w, t.Key())
		w.WriteByte(']')
		writeType(w, t.Elem())
	case *types.Chan:
		switch t.Dir() {
		case types.SendRecv:
			w.WriteString("chan ")
			if inner, ok := types.Unalias(t.Elem()).(*types.Chan); ok && inner.Dir() == types.RecvOnly {
				w.WriteByte('(')
				writeType(w, t.Elem())
				w.WriteByte(')')
				return
			}
		case types.SendOnly:
			w.WriteString("chan<- ")
		case types.RecvOnly:
			w.WriteString("<-chan ")
		}
		writeType(w, t.Elem())
	case *types.Signature:
		w.WriteString("func")
		writeSignature(w, t)
	case *types.Struct:
		w.WriteString("struct{")
		for i := range t.NumFields() {
			if i > 0 {
				w.WriteString("; ")
			}
			field := t.Field(i)
			if !field.Embedded() {
				w.WriteString(field.Name() + " ")
			}
			writeType(w, field.Type())
		}
		w.WriteByte('}')
	case *types.Interface:
		if t.NumExplicitMethods() == 0 && t.NumEmbeddeds() == 0 {
			w.WriteString("any")
			return
		}
		w.WriteString("interface{")
		first := true
		next := func() {
			if !first {
				w.WriteString("; ")
			}
			first = false
		}
		for i := range t.NumExplicitMethods() {
			next()
			m := t.ExplicitMethod(i)
			w.WriteString(m.Name())
			writeSignature(w, m.Type().(*types.Signature))
		}
		for i := range t.NumEmbeddeds() {
			next()
			writeType(w, t.EmbeddedType(i))
		}
		w.WriteByte('}')
	default:
		w.WriteString("!" + t.String())
	}
}

func writeSignature(w *bufio.Writer, s *types.Signature) {
	w.WriteByte('(')
	for i := range s.Params().Len() {
		if i > 0 {
			w.WriteString(", ")
		}
		t := s.Params().At(i).Type()
		if slice, ok := t.(*types.Slice); ok && s.Variadic() && i == s.Params().Len()-1 {
			w.WriteString("...")
			writeType(w, slice.Elem())
			continue
		}
		writeType(w, t)
	}
	w.WriteByte(')')
	switch s.Results().Len() {
	case 0:
	case 1:
		w.WriteByte(' ')
		writeType(w, s.Results().At(0).Type())
	default:
		w.WriteString(" (")
		for i := range s.Results().Len() {
			if i > 0 {
				w.WriteString(", ")
			}
			writeType(w, s.Results().At(i).Type())
		}
		w.WriteByte(')')
	}
}
