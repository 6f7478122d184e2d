package cases

// Loops whose bodies must not be wrapped.

func gotoOut(t *T) {
	for i := range 10 {
		f, err := t.open(i)
		if err != nil {
			goto end
		}
		defer f.Close()
	}
end:
	t.log("end")
}

type error2 = error

func hiddenType(t *T) error2 {
	type error2 int
	for i := range 10 {
		f, err := t.open(i)
		if err != nil {
			return err
		}
		defer f.Close()
		if i == 2 {
			return nil
		}
	}
	var _ error2
	return nil
}

func resultInDefer(t *T) (err error) {
	for i := range 10 {
		f, openErr := t.open(i)
		if openErr != nil {
			return openErr
		}
		defer func() {
			if cerr := f.Close(); err == nil {
				err = cerr
			}
		}()
	}
	return nil
}

func keptOutside(t *T) {
	var last *res
	for i := range 10 {
		f, err := t.open(i)
		if err != nil {
			continue
		}
		last, err = f, nil
		f = last
		defer last.Close()
	}
	t.log(last.i)
}

func oneLine(t *T) {
	run := func() { for { f, _ := t.open(1); defer f.Close() } }
	run()
}
