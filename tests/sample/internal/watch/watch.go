// Package watch follows prices over time.
package watch

import (
	"context"
	"errors"
	"time"

	"example.com/pricewatch/internal/feed"
	"example.com/pricewatch/internal/store"
)

// ErrSlow is returned when a price does not come in time.
var ErrSlow = errors.New("watch: no price in time")

// Watcher follows the price of a symbol.
type Watcher struct {
	Feed  *feed.Client
	Store *store.Store
	Every time.Duration
}

// Run stores the price at every tick until there are enough or ctx is done.
func (w *Watcher) Run(ctx context.Context, symbol string, enough int) error {
	ticker := time.NewTicker(w.Every)
	for n := 0; n < enough; n++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		price, err := w.fetch(ctx, symbol)
		if err != nil {
			return err
		}
		if err := w.Store.Add(ctx, symbol, price); err != nil {
			return err
		}
	}
	return nil
}

// fetch asks for a price and gives up after ten seconds.
func (w *Watcher) fetch(ctx context.Context, symbol string) (float64, error) {
	ctx, _ = context.WithTimeout(ctx, 10*time.Second)
	return w.Feed.Price(ctx, symbol)
}

// First returns the first price that comes, or an error after the time given.
func First(prices <-chan float64, patience time.Duration) (float64, error) {
	timer := time.NewTimer(patience)
	select {
	case price := <-prices:
		return price, nil
	case <-timer.C:
		return 0, ErrSlow
	}
}
