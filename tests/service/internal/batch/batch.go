// Package batch does work in a few goroutines.
package batch

// Each calls f for each item. The workers wait for more items for ever.
func Each[T any](items []T, f func(T)) {
	jobs := make(chan T)
	for range 2 {
		go func() {
			for job := range jobs { // leak: range-over-unclosed-channel
				f(job)
			}
		}()
	}
	for _, item := range items {
		jobs <- item
	}
}
