package cases

import (
	"errors"
	"fmt"
)

// T records what a case does. Closes are counted, not logged: they are what the fix moves.
type T struct {
	Log     []string
	N       int
	Open    int
	MaxOpen int
}

func (t *T) log(args ...any) { t.Log = append(t.Log, fmt.Sprint(args...)) }

type res struct {
	t *T
	i int
}

func (r *res) Close() error {
	r.t.Open--
	return nil
}

var errOpen = errors.New("open")

func (t *T) open(i int) (*res, error) {
	if i == 4 {
		return nil, errOpen
	}
	t.Open++
	t.MaxOpen = max(t.MaxOpen, t.Open)
	return &res{t, i}, nil
}

func (r *res) pair() (int, error) {
	if r.i == 3 {
		return r.i, errors.New("three")
	}
	return r.i, nil
}

func plain(t *T) {
	for i := 0; i < t.N; i++ {
		f, err := t.open(i)
		if err != nil {
			continue
		}
		defer f.Close()
		t.log(f.i)
	}
}

func CasePlain(t *T) { plain(t) }

func lastContinue(t *T) {
	for i := range t.N { // trailing
		// A comment at the beginning.
		f, err := t.open(i)
		if err == nil {
			defer f.Close() // why
			t.log(f.i)

			/* a block
			   comment */
			t.log(`raw
	string
`)
		} else {
			continue
		}
		// And one at the end.
	}
}

func CaseLastContinue(t *T) { lastContinue(t) }

func breaks(t *T) {
	for i := 0; ; i++ {
		f, err := t.open(i)
		if err != nil {
			t.log(err)
			break
		}
		defer f.Close()
		switch f.i {
		case 1:
			break
		case 2:
			continue
		default:
			for {
				break
			}
		}
		if i == t.N {
			break
		}
		t.log("next", f.i)
	}
	t.log("end")
}

func CaseBreaks(t *T) { breaks(t) }

func returnsNothing(t *T) {
	for i := range 10 {
		f, err := t.open(i)
		if err != nil {
			return
		}
		defer f.Close()
		if i == t.N {
			t.log("return")
			return
		}
	}
	t.log("end")
}

func CaseReturnsNothing(t *T) { returnsNothing(t) }

func breakAndReturn(t *T) {
	for i := range 10 {
		f, err := t.open(i)
		if err != nil {
			return
		}
		defer f.Close()
		if i == t.N {
			break
		}
		if i > 5 {
			continue
		}
		t.log(i)
	}
	t.log("end")
}

func CaseBreakAndReturn(t *T) { breakAndReturn(t) }

func onlyErrors(t *T) error {
	for i := range t.N {
		f, err := t.open(i)
		if err != nil {
			return err
		}
		defer f.Close()
		if i == 2 {
			continue
		}
		if i == 6 {
			return fmt.Errorf("six: %d", i)
		}
		t.log(i)
	}
	return nil
}

func CaseOnlyErrors(t *T) { t.log(onlyErrors(t)) }

func errorsAndNil(t *T) error {
	for i := range t.N {
		f, err := t.open(i)
		if err != nil {
			return err
		}
		defer f.Close()
		if i == 2 {
			return nil
		}
	}
	t.log("end")
	return errOpen
}

func CaseErrorsAndNil(t *T) { t.log(errorsAndNil(t)) }

func constantAndError(t *T) (*res, error) {
	for i := range t.N {
		f, err := t.open(i)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if i == 2 {
			return nil, errOpen
		}
	}
	return &res{}, nil
}

func CaseConstantAndError(t *T) {
	r, err := constantAndError(t)
	t.log(r != nil, err)
}

func values(t *T) (int, string, error) {
	for i := range 10 {
		f, err := t.open(i)
		if err != nil {
			return -1, "failed", err
		}
		defer f.Close()
		if i == t.N {
			return f.i, "found", nil
		}
		if i == 1 {
			continue
		}
		t.log(i)
	}
	return 0, "none", nil
}

func CaseValues(t *T) { t.log(values(t)) }

func valuesAndBreak(t *T) (n int) {
	for i := range 10 {
		f, err := t.open(i)
		if err != nil {
			break
		}
		defer f.Close()
		n += f.i
		if i == t.N {
			return n * 2
		}
		if n > 100 {
			return
		}
	}
	n++
	return n
}

func CaseValuesAndBreak(t *T) { t.log(valuesAndBreak(t)) }

func bare(t *T) (n int, err error) {
	for i := range 10 {
		var f *res
		f, err = t.open(i)
		if err != nil {
			return
		}
		defer f.Close()
		n++
		if i == t.N {
			return
		}
	}
	return 0, nil
}

func CaseBare(t *T) { t.log(bare(t)) }

func bareAndValues(t *T) (n int, err error) {
	for i := range 10 {
		f, openErr := t.open(i)
		if openErr != nil {
			return n, openErr
		}
		defer f.Close()
		n++
		if i == t.N {
			return
		}
	}
	return 0, nil
}

func CaseBareAndValues(t *T) { t.log(bareAndValues(t)) }

func spread(t *T) (int, error) {
	for i := range 10 {
		f, err := t.open(i)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		if i == t.N {
			return f.pair()
		}
	}
	return 0, nil
}

func CaseSpread(t *T) { t.log(spread(t)) }

func outer(t *T) string {
outer:
	for j := range 3 {
		for i := range 10 {
			f, err := t.open(i)
			if err != nil {
				break outer
			}
			defer f.Close()
			if i == t.N {
				continue outer
			}
			if i+j == 7 {
				return "seven"
			}
			if i == 2 {
				break
			}
			t.log(i, j)
		}
		t.log("inner end")
	}
	return "end"
}

func CaseOuter(t *T) { t.log(outer(t)) }

func ownLabel(t *T) {
	ch := make(chan int, 1)
loop:
	for i := range 10 {
		f, err := t.open(i)
		if err != nil {
			break loop
		}
		defer f.Close()
		ch <- i
		select {
		case v := <-ch:
			if v == t.N {
				continue loop
			}
			if v == 6 {
				break loop
			}
		}
		t.log(i)
	}
	t.log("end")
}

func CaseOwnLabel(t *T) { ownLabel(t) }

func ownLabelContinue(t *T) {
loop:
	for i := range 10 {
		f, err := t.open(i)
		if err != nil {
			continue
		}
		defer f.Close()
		for k := range 3 {
			if k == t.N {
				continue loop
			}
		}
		t.log(i)
	}
}

func CaseOwnLabelContinue(t *T) { ownLabelContinue(t) }

func innerLabel(t *T) {
	for i := range t.N {
		f, err := t.open(i)
		if err != nil {
			continue
		}
		defer f.Close()
	inner:
		for k := range 3 {
			for {
				if k == 1 {
					continue inner
				}
				break inner
			}
		}
		t.log(i)
	}
}

func CaseInnerLabel(t *T) { innerLabel(t) }

func endsAlways(t *T) int {
	for i := 0; ; i++ {
		f, err := t.open(i)
		if err != nil {
			return -1
		}
		defer f.Close()
		if i < t.N {
			continue
		} else {
			switch i {
			case 2:
				return 2
			default:
				return i + 1
			}
		}
	}
}

func CaseEndsAlways(t *T) { t.log(endsAlways(t)) }

func outerVariables(t *T) (sum int) {
	var err error
	last := ""
	for i := 0; i < 10; i++ {
		var f *res
		if f, err = t.open(i); err != nil {
			i++
			continue
		}
		defer f.Close()
		last = fmt.Sprint(last, f.i)
		sum += f.i
		if sum > 20 {
			break
		}
	}
	t.log(last, err)
	return sum
}

func CaseOuterVariables(t *T) { t.log(outerVariables(t)) }

func inLiteral(t *T) {
	run := func(n int) (string, error) {
		for i := range 10 {
			f, err := t.open(i)
			if err != nil {
				return "", err
			}
			defer f.Close()
			if i == n {
				return "found", nil
			}
		}
		return "none", nil
	}
	t.log(run(t.N))
}

func CaseInLiteral(t *T) { inLiteral(t) }

func generic[E any](t *T, list []E) (E, bool) {
	for i, e := range list {
		f, err := t.open(i)
		if err != nil {
			break
		}
		defer f.Close()
		if i == t.N {
			return e, true
		}
	}
	var zero E
	return zero, false
}

func CaseGeneric(t *T) { t.log(generic(t, []string{"a", "b", "c", "d", "e", "f"})) }

func names(t *T) (done int, stop error) {
	for i := range 10 {
		f, err := t.open(i)
		if err != nil {
			return i, err
		}
		defer f.Close()
		result := i * 2
		if result == t.N {
			break
		}
		if result == t.N+1 {
			return result, nil
		}
	}
	return done - 1, stop
}

func CaseNames(t *T) { t.log(names(t)) }

func multiline(t *T) (string, error) {
	for i := range 10 {
		f, err := t.open(i)
		if err != nil {
			return "",
				fmt.Errorf("open: %w",
					err)
		}
		defer func() {
			_ = f.Close()
		}()
		if i == t.N {
			return fmt.Sprintf(
				"%d",
				f.i,
			), nil
		}
		x := map[string]int{
			"a":      1, // one
			"longer": 2, // two
		}
		short := len(x)       // a
		muchLonger := cap(ch) // b
		t.log(short, muchLonger)
	}
	return "", nil
}

var ch = make(chan int)

func CaseMultiline(t *T) { t.log(multiline(t)) }

func panics(t *T) (n int) {
	for i := 0; ; i++ {
		f, err := t.open(i)
		if err != nil {
			break
		}
		defer f.Close()
		if i < 10 {
			continue
		}
		panic("never")
	}
	return t.N
}

func CasePanics(t *T) { t.log(panics(t)) }

func gotoInside(t *T) {
	for i := range 10 {
		f, err := t.open(i)
		if err != nil {
			goto next
		}
		defer f.Close()
	next:
		t.log(i)
	}
}

func CaseGotoInside(t *T) { gotoInside(t) }

func iterator(t *T) int {
	seq := func(yield func(int) bool) {
		for i := range 10 {
			if !yield(i) {
				t.log("stopped")
				return
			}
		}
	}
	for i := range seq {
		f, err := t.open(i)
		if err != nil {
			return -1
		}
		defer f.Close()
		if i == t.N {
			break
		}
	}
	return 7
}

func CaseIterator(t *T) { t.log(iterator(t)) }
