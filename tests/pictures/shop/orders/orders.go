// Package orders answers customers.
package orders

import (
	"context"
	"time"
)

// Quote asks for a price and does not wait for long.
func Quote(order int, patience time.Duration) int {
	answers := make(chan int)
	go func() {
		answers <- price(order)
	}()
	select {
	case answer := <-answers:
		return answer
	case <-time.After(patience):
		return 0
	}
}

func price(order int) int {
	if order%5 == 0 {
		time.Sleep(20 * time.Millisecond)
	}
	return order
}

// Reserve keeps the parts of an order for an hour.
func Reserve(order, parts int) {
	for part := range parts {
		ctx, _ := context.WithTimeout(context.Background(), time.Hour)
		take(ctx, order, part)
	}
}

func take(context.Context, int, int) {}

// Notify tells everybody about an order.
func Notify(order int) {
	done := make(chan struct{})
	for _, name := range []string{"mail", "stock"} {
		go func() {
			if send(name, order) {
				done <- struct{}{}
			}
		}()
	}
	<-done
}

func send(string, int) bool { return true }
