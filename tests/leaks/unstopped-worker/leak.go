// Package leak starts a worker and does not stop it.
package leak

// Run gives it something to do.
func Run() {
	run([]int{1, 2, 3})
}

type worker struct {
	queue chan int
	done  chan struct{}
	sum   int
}

func (w *worker) start() {
	go func() {
		for {
			select {
			case n := <-w.queue:
				w.sum += n
			case <-w.done:
				return
			}
		}
	}()
}

func (w *worker) stop() { close(w.done) }

func (w *worker) add(n int) { w.queue <- n }

func run(items []int) {
	w := &worker{queue: make(chan int), done: make(chan struct{})}
	w.start()
	for _, item := range items {
		w.add(item)
	}
}
