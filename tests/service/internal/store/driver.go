package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
)

// source is a database in memory with one query.
type source struct{}

func (s source) Connect(context.Context) (driver.Conn, error) { return conn{}, nil }
func (s source) Driver() driver.Driver                        { return s }
func (s source) Open(string) (driver.Conn, error)             { return conn{}, nil }

type conn struct{}

func (c conn) Prepare(string) (driver.Stmt, error) { return stmt{}, nil }
func (c conn) Close() error                        { return nil }
func (c conn) Begin() (driver.Tx, error)           { return nil, errors.ErrUnsupported }

type stmt struct{}

func (s stmt) Close() error                               { return nil }
func (s stmt) NumInput() int                              { return 0 }
func (s stmt) Exec([]driver.Value) (driver.Result, error) { return nil, errors.ErrUnsupported }
func (s stmt) Query([]driver.Value) (driver.Rows, error)  { return &rows{left: 100}, nil }

type rows struct{ left int }

func (r *rows) Columns() []string { return []string{"amount"} }
func (r *rows) Close() error      { return nil }

func (r *rows) Next(into []driver.Value) error {
	if r.left == 0 {
		return io.EOF
	}
	into[0] = int64(r.left)
	r.left--
	return nil
}
