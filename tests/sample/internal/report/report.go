// Package report writes prices as files and reads them again.
package report

import (
	"bufio"
	"encoding/csv"
	"errors"
	"os"
	"strconv"
	"time"

	"example.com/pricewatch/internal/store"
)

// ErrEmpty is returned for a report without prices.
var ErrEmpty = errors.New("report: no prices")

// Write writes a report.
func Write(name string, prices []store.Price) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if len(prices) == 0 {
		return ErrEmpty
	}
	w := csv.NewWriter(f)
	for _, p := range prices {
		value := strconv.FormatFloat(p.Value, 'f', 2, 64)
		if err := w.Write([]string{p.At.Format(time.RFC3339), value}); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	w.Flush()
	return errors.Join(w.Error(), f.Close())
}

// Lines counts the lines of several reports.
func Lines(names []string) (int, error) {
	lines := 0
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		scanner := bufio.NewScanner(f)
		for scanner.Scan() {
			lines++
		}
		if err := scanner.Err(); err != nil {
			return 0, err
		}
	}
	return lines, nil
}
