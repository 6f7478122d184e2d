// Package session opens sessions of users.
package session

import (
	"context"
	"errors"
)

// Sessions belong to a context that lives as long as the service.
type Sessions struct{ base context.Context }

// New returns no sessions.
func New(base context.Context) *Sessions { return &Sessions{base: base} }

// Open opens a session and does what is to be done in it. If it cannot, the session stays registered with the context.
func (s *Sessions) Open(user string) error {
	ctx, cancel := context.WithCancel(s.base) // leak: dropped-cancel
	if err := greet(ctx, user); err != nil {
		return err
	}
	cancel()
	return nil
}

func greet(ctx context.Context, user string) error {
	if user == "" {
		return errors.New("who?")
	}
	return ctx.Err()
}
