// Package leak compiles an expression whenever it needs one, and begins with an empty buffer.
package leak

import (
	"bytes"
	"fmt"
	"regexp"
)

func valid(id string) bool {
	return regexp.MustCompile(`^[a-z]+-[0-9]+$`).MatchString(id) // allocates
}

func length(numbers []int) int {
	var out bytes.Buffer
	for _, number := range numbers {
		fmt.Fprintf(&out, "%d\n", number) // allocates
	}
	return out.Len()
}

var numbers = make([]int, 1000)

// Step looks at ids, and prints numbers.
func Step() {
	for range 1000 {
		if !valid("page-1") || length(numbers) != 2000 {
			panic("something else")
		}
	}
}
