package feed

import (
	"fmt"
	"io"
	"net/http"
)

// AskFixed asks for a quote.
func (c *Client) AskFixed(item string) error {
	resp, err := c.http.Get(c.url + "?" + item)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err = io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("quote: %s", resp.Status)
	}
	return nil
}
