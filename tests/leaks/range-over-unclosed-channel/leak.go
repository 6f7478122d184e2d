// Package leak ranges over channels that stay open.
package leak

import (
	"errors"
	"sync/atomic"
)

// Run gives each of them something to do.
func Run() {
	items := []int{1, 2, 3}
	workers(items, 2)
	oneSender(items)
	if onError(items, func(int) error { return errors.New("failed") }) == nil {
		panic("no error")
	}
	between(items, func(int) error { return nil })
}

var sum atomic.Int64

func use(n int) { sum.Add(int64(n)) }

func workers(items []int, workers int) {
	ch := make(chan int)
	for i := 0; i < workers; i++ {
		go func() {
			for item := range ch {
				use(item)
			}
		}()
	}
	for _, item := range items {
		ch <- item
	}
}

func oneSender(items []int) {
	ch := make(chan int, 10)
	go func() {
		for item := range ch {
			use(item)
		}
	}()
	go func() {
		for _, item := range items {
			ch <- item
		}
	}()
}

func onError(items []int, check func(int) error) error {
	ch := make(chan int)
	go func() {
		for item := range ch {
			use(item)
		}
	}()
	for _, item := range items {
		if err := check(item); err != nil {
			return err
		}
		ch <- item
	}
	close(ch)
	return nil
}

func between(items []int, check func(int) error) error {
	ch := make(chan int)
	go func() {
		for item := range ch {
			use(item)
		}
	}()
	for _, item := range items {
		if err := check(item); err != nil {
			return err
		}
		ch <- item
	}
	return nil
}
