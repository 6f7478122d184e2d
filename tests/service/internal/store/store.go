// Package store reads orders from a database.
package store

import "database/sql"

// A Store has the orders.
type Store struct{ db *sql.DB }

// New returns a store with a few orders.
func New() *Store {
	db := sql.OpenDB(source{})
	db.SetMaxOpenConns(4)
	return &Store{db: db}
}

// Names returns the names of the orders.
func (s *Store) Names() []string {
	return []string{"amber", "brass", "cedar", "denim"}
}

// FirstLarge returns the first order over a limit. The rows that follow it keep their connection, and when all connections of
// the pool are kept, everybody waits.
func (s *Store) FirstLarge(limit int) (int, error) {
	rows, err := s.db.Query("SELECT amount FROM orders") // leak: unclosed-sql-rows
	if err != nil {
		return 0, err
	}
	for rows.Next() {
		var amount int
		if err := rows.Scan(&amount); err != nil {
			return 0, err
		}
		if amount > limit {
			return amount, nil
		}
	}
	return 0, rows.Err()
}
