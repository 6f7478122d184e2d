// Package leak opens the database for each request.
package leak

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net/http"
	"slices"
)

func handle(w http.ResponseWriter, r *http.Request) {
	db, err := sql.Open("nothing", "") // stays
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if err := db.PingContext(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// nothing is a driver for a database of nothing.
type nothing struct{}

func (nothing) Open(string) (driver.Conn, error) { return conn{}, nil }

type conn struct{}

func (conn) Prepare(string) (driver.Stmt, error) { return nil, errors.ErrUnsupported }
func (conn) Close() error                        { return nil }
func (conn) Begin() (driver.Tx, error)           { return nil, errors.ErrUnsupported }

// The copies of this program share the table of drivers.
func init() {
	if !slices.Contains(sql.Drivers(), "nothing") {
		sql.Register("nothing", nothing{})
	}
}

// Step serves requests.
func Step() {
	request := (&http.Request{}).WithContext(context.Background())
	for range 32 {
		handle(nil, request)
	}
}
