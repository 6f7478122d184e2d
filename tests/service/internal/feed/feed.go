// Package feed asks another service for quotes.
package feed

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

// A Client asks one service.
type Client struct {
	http *http.Client
	url  string
}

// New returns a client for an address.
func New(url string) *Client {
	return &Client{http: &http.Client{Timeout: time.Hour, Transport: &http.Transport{}}, url: url}
}

// Ask asks for a quote. The body of an answer that is no quote keeps its connection.
func (c *Client) Ask(item string) error {
	resp, err := c.http.Get(c.url + "?" + item) // leak: unclosed-http-body
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("quote: %s", resp.Status)
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
