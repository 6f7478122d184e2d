// Command shop is a service that leaks, for pictures.
package main

import (
	"log"
	"net/http"
	_ "net/http/pprof"
	"os"
	"time"

	"example.com/shop/orders"
	"example.com/shop/store"
)

func main() {
	prices := store.NewPrices()
	go func() {
		for n := 0; ; n++ {
			orders.Quote(n, 2*time.Millisecond)
			prices.Of(n)
			orders.Reserve(n, 8)
			if n%3 == 0 {
				orders.Notify(n)
			}
			time.Sleep(4 * time.Millisecond)
		}
	}()
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
