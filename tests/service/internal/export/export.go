// Package export sends orders as text.
package export

import (
	"io"
	"net/http"
)

// Send sends the orders to an address. If it is no address, nobody reads the text, and who writes it waits for ever.
func Send(orders []string, address string) error {
	r, w := io.Pipe() // acquired: unclosed-pipe
	go func() {
		defer w.Close()
		for _, order := range orders {
			if _, err := io.WriteString(w, order+"\n"); err != nil { // leak: unclosed-pipe
				return
			}
		}
	}()
	req, err := http.NewRequest(http.MethodPut, address, r)
	if err != nil {
		return err
	}
	return put(req)
}

func put(req *http.Request) error {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
