package scenario

import (
	"fmt"
	"slices"
	"strings"

	"github.com/guise-project/guise/probe"
)

// shown are the values that a step gave, and the syndromes; "" where there are none.
func shown(step *Step, result *Result) string {
	switch {
	case result.Missing || result.Errno != 0:
		return ""
	case step.Verb == List:
		return fmt.Sprintf("%d registers", len(result.Values))
	case step.Verb == Masks:
		masks := slices.DeleteFunc(slices.Clone(result.Values), func(mask uint64) bool { return mask == 0 })
		return fmt.Sprintf("%d registers with writable bits", len(masks))
	case len(result.Values) > 0:
		return number(result.Values)
	case result.Trace == nil:
		return ""
	}
	var words []string
	for i := range result.Trace.Records {
		switch record := &result.Trace.Records[i]; {
		case record.Outcome == probe.Exception:
			words = append(words, fmt.Sprintf("ESR %#x: %s", record.Syndrome, probe.ExplainSyndrome(record.Syndrome)))
		case record.Outcome == probe.Completed && record.Count > 0:
			for _, value := range record.Values[:record.Count] {
				words = append(words, fmt.Sprintf("%#x", value))
			}
		}
	}
	return strings.Join(words, " ")
}

// number writes a value of one word or more, the low one first.
func number(words []uint64) string {
	words = slices.Clone(words)
	for len(words) > 1 && words[len(words)-1] == 0 {
		words = words[:len(words)-1]
	}
	text := fmt.Sprintf("%#x", words[len(words)-1])
	for _, word := range slices.Backward(words[:len(words)-1]) {
		text += fmt.Sprintf("%016x", word)
	}
	return text
}
