// Package store keeps prices in a database.
package store

import (
	"context"
	"database/sql"
	"time"
)

// Price is a price at a time.
type Price struct {
	At    time.Time
	Value float64
}

// Store keeps prices.
type Store struct {
	db *sql.DB
}

// New makes a store on an open database.
func New(db *sql.DB) *Store {
	return &Store{db: db}
}

// Add stores one price.
func (s *Store) Add(ctx context.Context, symbol string, price float64) error {
	_, err := s.db.ExecContext(ctx, "INSERT INTO prices (symbol, price) VALUES ($1, $2)", symbol, price)
	return err
}

// Prices returns all prices of a symbol, the oldest first.
func (s *Store) Prices(ctx context.Context, symbol string) ([]Price, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT at, price FROM prices WHERE symbol = $1 ORDER BY at", symbol)
	if err != nil {
		return nil, err
	}
	var prices []Price
	for rows.Next() {
		var p Price
		if err := rows.Scan(&p.At, &p.Value); err != nil {
			return nil, err
		}
		prices = append(prices, p)
	}
	return prices, rows.Err()
}
