// Package leak puts off the end of sessions that nobody has any more.
package leak

import (
	"context"
	"time"
)

type session struct {
	ctx  context.Context
	data []byte
}

func (s *session) expire() { s.data = nil }

func (s *session) touch() {
	time.AfterFunc(30*time.Minute, s.expire)
}

func (s *session) register() {
	context.AfterFunc(s.ctx, s.expire)
}

type server struct {
	ctx  context.Context
	stop context.CancelFunc
}

func start() *server {
	ctx, stop := context.WithCancel(context.Background())
	return &server{ctx: ctx, stop: stop}
}

var running = start()

// Step has sessions.
func Step() {
	for range 32 {
		touched := &session{data: make([]byte, 64<<10)} // grows
		touched.touch()
		registered := &session{ctx: running.ctx, data: make([]byte, 64<<10)} // grows
		registered.register()
	}
}
