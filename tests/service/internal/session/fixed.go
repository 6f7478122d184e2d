package session

import "context"

// OpenFixed opens a session and does what is to be done in it.
func (s *Sessions) OpenFixed(user string) error {
	ctx, cancel := context.WithCancel(s.base)
	defer cancel()
	return greet(ctx, user)
}
