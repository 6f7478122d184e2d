// Stdtable writes the exported API of the Go standard library as JSON, one package a line, for `cargo xtask std-table`, which
// packs it into the table that is embedded in stopleak.
//
// It type-checks the distribution from source (go/types), once per platform, without cgo. Items that only other platforms have
// are added; items whose type differs between platforms get an unknown type. What is not exported is left out, except what an
// exported declaration makes visible: types that are returned, embedded, or stored in an exported field.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/build"
	"go/constant"
	"go/importer"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"sort"
	"strconv"
	"strings"
)

// A Package is one line of the output.
type Package struct {
	Path  string `json:"path"`
	Name  string `json:"name"`
	Items []Item `json:"items"`
}

// An Item is a package-level declaration.
type Item struct {
	Name       string      `json:"name"`
	Kind       string      `json:"kind"` // func, var, const, type, alias
	Since      int         `json:"since,omitempty"`
	Type       any         `json:"type,omitempty"` // of funcs, vars, consts; the right-hand side of an alias
	Value      string      `json:"value,omitempty"`
	TypeParams []TypeParam `json:"tparams,omitempty"`
	Underlying any         `json:"underlying,omitempty"`
	Methods    []Method    `json:"methods,omitempty"`
}

// A TypeParam is a type parameter with its constraint.
type TypeParam struct {
	Name       string `json:"name"`
	Constraint any    `json:"constraint"`
}

// A Method is a method of a declared type.
type Method struct {
	Name    string `json:"name"`
	Pointer bool   `json:"pointer,omitempty"`
	Since   int    `json:"since,omitempty"`
	Type    any    `json:"type"`
}

type header struct {
	Go        string   `json:"go"`
	Platforms []string `json:"platforms"`
}

func main() {
	platforms := flag.String("platforms", "linux/amd64,darwin/arm64,windows/amd64", "platforms, the leading one first")
	api := flag.String("api", filepath.Join(runtime.GOROOT(), "api"), "directory with go1*.txt, where there is one")
	goCmd := flag.String("go", "go", "the go command")
	flag.Parse()
	since := readAPI(*api)
	var merged map[string]*Package
	for _, platform := range strings.Split(*platforms, ",") {
		packages := dump(*goCmd, platform, since)
		if merged == nil {
			merged = packages
		} else {
			merge(merged, packages)
		}
	}
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	check(encoder.Encode(header{Go: runtime.Version(), Platforms: strings.Split(*platforms, ",")}))
	paths := make([]string, 0, len(merged))
	for path := range merged {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	for _, path := range paths {
		pkg := merged[path]
		sort.Slice(pkg.Items, func(i, j int) bool { return pkg.Items[i].Name < pkg.Items[j].Name })
		check(encoder.Encode(pkg))
	}
	check(out.Flush())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "stdtable:", err)
		os.Exit(1)
	}
}

// merge adds what only `from` has, and forgets types that differ.
func merge(into, from map[string]*Package) {
	for path, pkg := range from {
		have := into[path]
		if have == nil {
			into[path] = pkg
			continue
		}
		index := make(map[string]int)
		for i, item := range have.Items {
			index[item.Name] = i
		}
		for _, item := range pkg.Items {
			i, ok := index[item.Name]
			if !ok {
				have.Items = append(have.Items, item)
				continue
			}
			old := &have.Items[i]
			if old.Kind != item.Kind {
				*old = Item{Name: old.Name, Kind: "var", Type: unknown}
				continue
			}
			if !same(old.Type, item.Type) {
				old.Type = unknown
			}
			if old.Value != item.Value {
				old.Value = ""
			}
			if !same(old.Underlying, item.Underlying) {
				old.Underlying = mergeUnderlying(old.Underlying, item.Underlying)
			}
			methods := make(map[string]int)
			for j, m := range old.Methods {
				methods[m.Name] = j
			}
			for _, m := range item.Methods {
				if j, ok := methods[m.Name]; !ok {
					old.Methods = append(old.Methods, m)
				} else if !same(old.Methods[j].Type, m.Type) {
					old.Methods[j].Type = unknown
				}
			}
		}
	}
}

// mergeUnderlying joins the fields of two structs; anything else that differs is unknown.
func mergeUnderlying(a, b any) any {
	as, aok := a.([]any)
	bs, bok := b.([]any)
	if !aok || !bok || as[0] != "struct" || bs[0] != "struct" {
		return unknown
	}
	fields := append([]any(nil), as[1:]...)
next:
	for _, f := range bs[1:] {
		name := f.([]any)[0]
		for i, g := range fields {
			if g.([]any)[0] == name {
				if !same(g, f) {
					fields[i] = []any{name, unknown, g.([]any)[2]}
				}
				continue next
			}
		}
		fields = append(fields, f)
	}
	return append([]any{"struct"}, fields...)
}

func same(a, b any) bool {
	x, err := json.Marshal(a)
	check(err)
	y, err := json.Marshal(b)
	check(err)
	return bytes.Equal(x, y)
}

var unknown = []any{"unknown"}

type dumper struct {
	packages map[string]*Package
	done     map[types.Object]bool
	queue    []types.Object
	since    map[string]int
}

func dump(goCmd, platform string, since map[string]int) map[string]*Package {
	goos, goarch, _ := strings.Cut(platform, "/")
	build.Default.GOOS, build.Default.GOARCH = goos, goarch
	build.Default.CgoEnabled = false
	build.Default.GOROOT = runtime.GOROOT()
	list := exec.Command(goCmd, "list", "std")
	list.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0", "GOFLAGS=", "GOROOT="+runtime.GOROOT(), "GOWORK=off")
	list.Dir = runtime.GOROOT()
	list.Stderr = os.Stderr
	text, err := list.Output()
	check(err)
	imp := importer.ForCompiler(token.NewFileSet(), "source", nil).(types.ImporterFrom)
	d := &dumper{packages: make(map[string]*Package), done: make(map[types.Object]bool), since: since}
	for _, path := range strings.Fields(string(text)) {
		if strings.HasPrefix(path, "vendor/") || path == "internal" || strings.HasPrefix(path, "internal/") ||
			strings.Contains(path, "/internal/") || strings.HasSuffix(path, "/internal") || path == "unsafe" {
			continue
		}
		pkg, err := imp.ImportFrom(path, runtime.GOROOT(), 0)
		if err != nil {
			fmt.Fprintln(os.Stderr, "stdtable:", platform, path, err)
			continue
		}
		d.pkg(pkg)
		scope := pkg.Scope()
		for _, name := range scope.Names() {
			if token.IsExported(name) {
				d.need(scope.Lookup(name))
			}
		}
	}
	for len(d.queue) > 0 {
		object := d.queue[0]
		d.queue = d.queue[1:]
		d.object(object)
	}
	return d.packages
}

func (d *dumper) pkg(pkg *types.Package) *Package {
	have := d.packages[pkg.Path()]
	if have == nil {
		have = &Package{Path: pkg.Path(), Name: pkg.Name()}
		d.packages[pkg.Path()] = have
	}
	return have
}

func (d *dumper) need(object types.Object) {
	if !d.done[object] {
		d.done[object] = true
		d.queue = append(d.queue, object)
	}
}

func (d *dumper) object(object types.Object) {
	pkg := d.pkg(object.Pkg())
	key := object.Pkg().Path() + "." + object.Name()
	item := Item{Name: object.Name(), Since: d.since[key]}
	switch object := object.(type) {
	case *types.Func:
		item.Kind = "func"
		item.Type = d.typ(object.Type())
	case *types.Var:
		item.Kind = "var"
		item.Type = d.typ(object.Type())
	case *types.Const:
		item.Kind = "const"
		item.Type = d.typ(object.Type())
		if v := object.Val(); v.Kind() == constant.Int {
			if n, ok := constant.Int64Val(v); ok {
				item.Value = strconv.FormatInt(n, 10)
			}
		}
	case *types.TypeName:
		if object.IsAlias() {
			item.Kind = "alias"
			if alias, ok := object.Type().(*types.Alias); ok {
				item.TypeParams = d.typeParams(alias.TypeParams())
				item.Type = d.typ(alias.Rhs())
			} else {
				item.Type = d.typ(object.Type())
			}
			break
		}
		item.Kind = "type"
		named := object.Type().(*types.Named)
		item.TypeParams = d.typeParams(named.TypeParams())
		item.Underlying = d.typ(named.Underlying())
		for i := range named.NumMethods() {
			method := named.Method(i)
			if !method.Exported() {
				continue
			}
			signature := method.Type().(*types.Signature)
			_, pointer := signature.Recv().Type().(*types.Pointer)
			rename := make(map[*types.TypeParam]string)
			for j := range signature.RecvTypeParams().Len() {
				rename[signature.RecvTypeParams().At(j)] = named.TypeParams().At(j).Obj().Name()
			}
			item.Methods = append(item.Methods, Method{
				Name: method.Name(), Pointer: pointer, Since: d.since[key+"."+method.Name()], Type: d.signature(signature, rename),
			})
		}
		sort.Slice(item.Methods, func(i, j int) bool { return item.Methods[i].Name < item.Methods[j].Name })
	default:
		return
	}
	pkg.Items = append(pkg.Items, item)
}

func (d *dumper) typeParams(list *types.TypeParamList) []TypeParam {
	var out []TypeParam
	for i := range list.Len() {
		p := list.At(i)
		out = append(out, TypeParam{Name: p.Obj().Name(), Constraint: d.constraint(p.Constraint(), nil)})
	}
	return out
}

// constraint writes an interface as such, so that the wrapping of `~[]E` is seen.
func (d *dumper) constraint(t types.Type, rename map[*types.TypeParam]string) any {
	if iface, ok := t.(*types.Interface); ok {
		return d.typed(iface, rename)
	}
	return d.typed(t, rename)
}

func (d *dumper) signature(s *types.Signature, rename map[*types.TypeParam]string) any {
	var tparams []any
	for i := range s.TypeParams().Len() {
		p := s.TypeParams().At(i)
		tparams = append(tparams, []any{p.Obj().Name(), d.constraint(p.Constraint(), rename)})
	}
	tuple := func(t *types.Tuple) []any {
		out := []any{}
		for i := range t.Len() {
			out = append(out, d.typed(t.At(i).Type(), rename))
		}
		return out
	}
	if tparams == nil {
		tparams = []any{}
	}
	return []any{"func", tparams, tuple(s.Params()), tuple(s.Results()), s.Variadic()}
}

func (d *dumper) typ(t types.Type) any { return d.typed(t, nil) }

func (d *dumper) typed(t types.Type, rename map[*types.TypeParam]string) any {
	switch t := t.(type) {
	case *types.Basic:
		return []any{"basic", t.Name()}
	case *types.Alias:
		// An alias is the type that it stands for.
		return d.typed(types.Unalias(t), rename)
	case *types.Named:
		object := t.Obj()
		args := []any{}
		for i := range t.TypeArgs().Len() {
			args = append(args, d.typed(t.TypeArgs().At(i), rename))
		}
		if object.Pkg() == nil {
			return []any{"named", "", object.Name(), args}
		}
		if object.Parent() == object.Pkg().Scope() {
			d.need(t.Origin().Obj())
			return []any{"named", object.Pkg().Path(), object.Name(), args}
		}
		return unknown
	case *types.Pointer:
		return []any{"pointer", d.typed(t.Elem(), rename)}
	case *types.Slice:
		return []any{"slice", d.typed(t.Elem(), rename)}
	case *types.Array:
		return []any{"array", t.Len(), d.typed(t.Elem(), rename)}
	case *types.Map:
		return []any{"map", d.typed(t.Key(), rename), d.typed(t.Elem(), rename)}
	case *types.Chan:
		dir := map[types.ChanDir]string{types.SendRecv: "both", types.SendOnly: "send", types.RecvOnly: "receive"}[t.Dir()]
		return []any{"chan", dir, d.typed(t.Elem(), rename)}
	case *types.Signature:
		return d.signature(t, rename)
	case *types.TypeParam:
		if name, ok := rename[t]; ok {
			return []any{"param", name}
		}
		return []any{"param", t.Obj().Name()}
	case *types.Struct:
		out := []any{"struct"}
		for i := range t.NumFields() {
			f := t.Field(i)
			if f.Exported() || f.Embedded() {
				out = append(out, []any{f.Name(), d.typed(f.Type(), rename), f.Embedded()})
			}
		}
		return out
	case *types.Interface:
		methods, embeds := []any{}, []any{}
		for i := range t.NumExplicitMethods() {
			m := t.ExplicitMethod(i)
			methods = append(methods, []any{m.Name(), d.typed(m.Type(), rename)})
		}
		for i := range t.NumEmbeddeds() {
			embeds = append(embeds, d.typed(t.EmbeddedType(i), rename))
		}
		return []any{"interface", methods, embeds}
	case *types.Union:
		out := []any{"union"}
		for i := range t.Len() {
			out = append(out, d.typed(t.Term(i).Type(), rename))
		}
		return out
	default:
		return unknown
	}
}

var (
	apiFunc   = regexp.MustCompile(`^pkg ([^ ,]+)(?: \([^)]*\))?, (?:func|var|const|type) ([A-Za-z0-9_]+)`)
	apiMethod = regexp.MustCompile(`^pkg ([^ ,]+)(?: \([^)]*\))?, method \(\*?([A-Za-z0-9_]+)[^)]*\) ([A-Za-z0-9_]+)`)
)

// readAPI reads the minor Go version since which an item exists (1.0 is left out) from the api directory of a distribution.
func readAPI(dir string) map[string]int {
	since := make(map[string]int)
	for minor := 1; ; minor++ {
		text, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("go1.%d.txt", minor)))
		if err != nil {
			if minor < 3 {
				continue
			}
			break
		}
		for _, line := range strings.Split(string(text), "\n") {
			key := ""
			if m := apiMethod.FindStringSubmatch(line); m != nil {
				key = m[1] + "." + m[2] + "." + m[3]
			} else if m := apiFunc.FindStringSubmatch(line); m != nil {
				key = m[1] + "." + m[2]
			}
			if key == "" {
				continue
			}
			if _, ok := since[key]; !ok {
				since[key] = minor
			}
		}
	}
	return drop(since, filepath.Join(dir, "go1.txt"))
}

// drop removes what Go 1.0 had already.
func drop(since map[string]int, path string) map[string]int {
	text, err := os.ReadFile(path)
	if err != nil {
		return since
	}
	for _, line := range strings.Split(string(text), "\n") {
		if m := apiMethod.FindStringSubmatch(line); m != nil {
			delete(since, m[1]+"."+m[2]+"."+m[3])
		} else if m := apiFunc.FindStringSubmatch(line); m != nil {
			delete(since, m[1]+"."+m[2])
		}
	}
	return since
}
