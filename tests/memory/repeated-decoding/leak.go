// Package leak compiles an expression whenever it needs one.
package leak

import "regexp"

func valid(id string) bool {
	return regexp.MustCompile(`^[a-z]+-[0-9]+$`).MatchString(id) // allocates
}

// Step looks at ids.
func Step() {
	for range 1000 {
		if !valid("page-1") {
			panic("not an id")
		}
	}
}
