// Package leak sends an error, and then nil too.
package leak

import "errors"

// Run fails.
func Run() {
	if err := run(); err == nil {
		panic("no error")
	}
}

func work() error { return errors.New("failed") }

func run() error {
	ch := make(chan error)
	go func() {
		if err := work(); err != nil {
			ch <- err
		}
		ch <- nil
	}()
	return <-ch
}
