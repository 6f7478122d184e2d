// Package leak counts requests by their paths.
package leak

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

var requests = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests"}, []string{"path"})

func handle(w http.ResponseWriter, r *http.Request) {
	requests.WithLabelValues(r.URL.Path).Inc() // grows
}

var next int

// Step asks for pages that nobody asked for before.
func Step() {
	for range 20_000 {
		handle(nil, &http.Request{URL: &url.URL{Path: strconv.Itoa(next)}})
		next++
	}
}
