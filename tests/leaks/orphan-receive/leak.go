// Package leak waits for a signal that nobody gives.
package leak

import (
	"context"
	"errors"
)

// Run fails before the signal is given, and forgets it altogether.
func Run() {
	if onError(func() error { return errors.New("failed") }) == nil {
		panic("no error")
	}
	never()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	inContext(ctx)
}

func onError(work func() error) error {
	stop := make(chan struct{})
	go func() {
		<-stop
		println("stopped")
	}()
	if err := work(); err != nil {
		return err
	}
	close(stop)
	return nil
}

func never() {
	stop := make(chan struct{})
	go func() {
		<-stop
		println("stopped")
	}()
}

func inContext(ctx context.Context) {
	stop := make(chan struct{})
	go func() {
		<-stop
		println("stopped")
	}()
}
