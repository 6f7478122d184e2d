// Package feed asks the price server.
package feed

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Client asks one price server.
type Client struct {
	URL  string
	HTTP http.Client
}

type quote struct {
	Symbol string  `json:"symbol"`
	Price  float64 `json:"price"`
}

// Price fetches the present price of a symbol.
func (c *Client) Price(ctx context.Context, symbol string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+"/"+symbol, nil)
	if err != nil {
		return 0, err
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("feed: %s: %s", symbol, resp.Status)
	}
	defer resp.Body.Close()
	var q quote
	if err := json.NewDecoder(resp.Body).Decode(&q); err != nil {
		return 0, err
	}
	return q.Price, nil
}
