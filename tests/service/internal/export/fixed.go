package export

import (
	"io"
	"net/http"
)

// SendFixed sends the orders to an address.
func SendFixed(orders []string, address string) error {
	r, w := io.Pipe()
	go func() {
		defer w.Close()
		for _, order := range orders {
			if _, err := io.WriteString(w, order+"\n"); err != nil {
				return
			}
		}
	}()
	req, err := http.NewRequest(http.MethodPut, address, r)
	if err != nil {
		r.CloseWithError(err)
		return err
	}
	return put(req)
}
