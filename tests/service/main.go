// Command orders is a small service that leaks on purpose, in eight ways. Each is named after the rule about it, and -fixed
// switches to code that does the same without the leak.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"
	"strings"
	"time"

	"example.com/orders/internal/batch"
	"example.com/orders/internal/export"
	"example.com/orders/internal/feed"
	"example.com/orders/internal/page"
	"example.com/orders/internal/search"
	"example.com/orders/internal/session"
	"example.com/orders/internal/store"
	"example.com/orders/internal/token"
	"example.com/orders/internal/view"
	"example.com/ring"
)

// A leak is one request of one of the two kinds.
type leak struct {
	leaky, fixed func(r *http.Request) error
}

func main() {
	// Small programs need more samples than one in half a megabyte.
	runtime.MemProfileRate = 4 << 10
	listen := flag.String("listen", "127.0.0.1:0", "where to listen")
	fixed := flag.String("fixed", "", "leaks that are fixed, with commas, or all")
	flag.Parse()

	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	recent := ring.New[[]byte](32)
	for name, leak := range leaks(ctx, "http://"+listener.Addr().String()) {
		run := leak.leaky
		if *fixed == "all" || strings.Contains(","+*fixed+",", ","+name+",") {
			run = leak.fixed
		}
		http.HandleFunc("/"+name, func(w http.ResponseWriter, r *http.Request) {
			recent.Add(func() []byte {
				return []byte(strings.Repeat(r.URL.String(), 256)) // kept: in a ring
			})
			if err := run(r); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	http.HandleFunc("/upstream", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no quotes today", http.StatusServiceUnavailable)
	})
	http.HandleFunc("/banner", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, len(view.Banner()))
	})
	fmt.Println(runtime.Version(), listener.Addr())
	server := &http.Server{ReadHeaderTimeout: time.Minute}
	if err := server.Serve(listener); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// leaks returns the eight leaks by their names.
func leaks(ctx context.Context, self string) map[string]leak {
	orders := store.New()
	quotes := feed.New(self + "/upstream")
	sessions := session.New(ctx)
	tokens := new(token.List)
	return map[string]leak{
		"unclosed-sql-rows": {
			func(*http.Request) error { _, err := orders.FirstLarge(10); return err },
			func(*http.Request) error { _, err := orders.FirstLargeFixed(10); return err },
		},
		"unclosed-http-body": {
			func(r *http.Request) error { return some(20, quotes.Ask, r.URL.RawQuery) },
			func(r *http.Request) error { return some(20, quotes.AskFixed, r.URL.RawQuery) },
		},
		"dropped-cancel": {
			func(*http.Request) error { return some(200, sessions.Open, "") },
			func(*http.Request) error { return some(200, sessions.OpenFixed, "") },
		},
		"unclosed-pipe": {
			func(*http.Request) error { return export.Send(orders.Names(), "no address%") },
			func(*http.Request) error { return export.SendFixed(orders.Names(), "no address%") },
		},
		"abandoned-send": {
			func(r *http.Request) error { return search.Find(r.URL.RawQuery, time.Millisecond) },
			func(r *http.Request) error { return search.FindFixed(r.URL.RawQuery, time.Millisecond) },
		},
		"range-over-unclosed-channel": {
			func(*http.Request) error { batch.Each(orders.Names(), check); return nil },
			func(*http.Request) error { batch.EachFixed(orders.Names(), check); return nil },
		},
		"unbounded-map": {
			func(r *http.Request) error { page.Get(r.URL.RawQuery); return nil },
			func(r *http.Request) error { page.GetFixed(r.URL.RawQuery); return nil },
		},
		"retained-subslice": {
			func(r *http.Request) error { return tokens.Add(message(r)) },
			func(r *http.Request) error { return tokens.AddFixed(message(r)) },
		},
	}
}

func message(r *http.Request) io.Reader {
	return strings.NewReader(strings.Repeat(r.URL.RawQuery, 8<<10))
}

// some does something a number of times; errors in between are of no interest.
func some(n int, do func(string) error, what string) error {
	for range n {
		_ = do(what)
	}
	return nil
}

func check(name string) {
	if name == "" {
		panic("an order without a name")
	}
}
