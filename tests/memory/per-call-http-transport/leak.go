// Package leak makes a transport for each request.
package leak

import (
	"io"
	"net/http"
	"net/http/httptest"
	"time"
)

func fetch(url string) error {
	tr := &http.Transport{Proxy: nil} // stays
	client := &http.Client{Transport: tr, Timeout: time.Minute}
	resp, err := client.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func hello(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, "hello")
}

var server = httptest.NewServer(http.HandlerFunc(hello))

// Step asks for pages.
func Step() {
	for range 32 {
		if err := fetch(server.URL); err != nil {
			panic(err)
		}
	}
}
