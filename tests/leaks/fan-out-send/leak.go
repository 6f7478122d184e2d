// Package leak takes the first of several answers.
package leak

import "context"

// Run asks three.
func Run() {
	first([]string{"a", "b", "c"})
	counted(3)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	inContext(ctx, []string{"a", "b", "c"})
}

func get(name string) string { return name + name }

func first(names []string) string {
	ch := make(chan string)
	for _, name := range names {
		go func() {
			ch <- get(name)
		}()
	}
	return <-ch
}

func counted(n int) int {
	ch := make(chan int)
	for i := 0; i < n; i++ {
		go func() {
			ch <- i * i
		}()
	}
	return <-ch
}

func inContext(ctx context.Context, names []string) string {
	ch := make(chan string)
	for _, name := range names {
		go func() {
			ch <- get(name)
		}()
	}
	return <-ch
}
