package batch

// EachFixed calls f for each item.
func EachFixed[T any](items []T, f func(T)) {
	jobs := make(chan T)
	defer close(jobs)
	for range 2 {
		go func() {
			for job := range jobs {
				f(job)
			}
		}()
	}
	for _, item := range items {
		jobs <- item
	}
}
