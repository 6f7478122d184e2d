// Package sample has one of everything.
package sample // é 😀

import "context"

import (
	"fmt"
	_ "embed"
	. "strings"

	httplib "net/http"
)

//go:generate true

// Limit is documented.
const Limit = 10

const (
	a, b = iota, "x\n\u00e9"
	c, d
	e float64 = 1e3 + 0x1p-2
)

var global map[string][]*Node[int, string]

var (
	mu    = struct{ n int }{n: 1}
	table = []struct {
		name string
		want int
	}{
		{"a", 1},
		{name: "b", want: 2}, // trailing
	}
	raw = `
func notAFunction() {
type T int
`
)

type Alias[T any] = map[string]T

type (
	Node[K comparable, V any] struct {
		*Base
		httplib.Handler
		left, right *Node[K, V] `json:"x"`
		key         K
		val         V
		ch          <-chan func(int) error
	}

	Base int
)

type Number interface {
	~int | ~int64 | Base
	fmt.Stringer
	Do(ctx context.Context, names ...string) (n int, err error)
}

func (n *Node[K, V]) Walk(yield func(K, V) bool) {
	if n == nil {
		return
	}
	n.left.Walk(yield)
	_ = yield(n.key, n.val)
}

func (n *Node[K, V]) Map[U any](f func(V) U) []U {
	var out []U
	for _, v := range n.Walk {
		out = append(out, f(v))
	}
	return out
}

func External(x int)

func Pointer(x int) *int { return new(x + 1) }

func /* odd */ Sum[T Number](xs ...T) (total T) {
outer:
	for i := range 10 {
		for j := 0; j < len(xs); j++ {
			switch {
			case i > j, j == 3:
				continue outer
			default:
				fallthrough
			case false:
				total += xs[j]
			}
		}
	}
	return
}

func control(ctx context.Context, in chan int, x any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("recovered: %v", r)
		}
	}()
	go Sum[int](1, 2, 3)
	select {
	case v, ok := <-in:
		_, _ = v, ok
	case in <- 1:
	case <-ctx.Done():
		return ctx.Err()
	default:
	}
	switch y := x.(type) {
	case nil, *int:
	case []byte, func():
		_ = y
	}
	if n, err := fmt.Println("é😀", 'x', '\'', `raw`); err != nil {
		return err
	} else if n > 0 {
		goto end
	}
	{
		var local = [...]int{2: 1, 3}
		_ = local[1:2:3]
		_ = (*Base)(nil)
		_ = F[int](x.(interface{ Close() error }))
		local[0]++
	}
end:
	return nil
}
