// Package leak has a worker that nothing can end.
package leak

type pool struct {
	jobs chan int
	sum  int
}

// Run uses it and goes away.
func Run() {
	p := &pool{jobs: make(chan int)}
	go p.work()
	p.jobs <- 1
}

func (p *pool) work() {
	for n := range p.jobs {
		p.sum += n
	}
}
