package token

import (
	"bytes"
	"errors"
	"io"
)

// AddFixed adds the token that a message begins with.
func (l *List) AddFixed(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if len(data) < size {
		return errors.New("too short")
	}
	l.keep(bytes.Clone(data[:size]))
	return nil
}
