package main

import (
	"strings"

	"github.com/guise-project/guise"
)

// remedyWords say what is done on a command line to mend a finding, with the
// remedy's objects; one entry for each code.
var remedyWords = map[guise.RemedyCode]func(objects []string) string{
	guise.RemedyCapture: func(hosts []string) string { return "guise capture" + on(hosts) },
	guise.RemedyCaptureOrAssume: func(hosts []string) string {
		return "guise capture" + on(hosts) + ", which tries every value, or --assume-kernel VERSION, which takes a profile's word"
	},
	guise.RemedyBaseline: func([]string) string { return "guise baseline -o, which makes complete contracts" },
	guise.RemedyVary:     func(fields []string) string { return strings.Join(varyFlags(fields), " ") },
	guise.RemedyIdentityOf: func(hosts []string) string {
		return "--identity-of " + strings.Join(hosts, " ")
	},
	guise.RemedyKernel: func(of []string) string {
		if len(of) < 2 {
			return "a later kernel"
		}
		return "a kernel with " + of[0] + ", Linux " + of[1] + " or later"
	},
}

// remedyText gives the words of a remedy, "" for none.
func remedyText(r guise.Remedy) string {
	if words, ok := remedyWords[r.Code]; ok {
		return words(r.Objects)
	}
	return ""
}

// flagsOf writes changes of a policy as flags.
func flagsOf(remedies []guise.Remedy) string {
	var flags []string
	for _, r := range remedies {
		flags = append(flags, remedyText(r))
	}
	return strings.Join(flags, " ")
}

func on(hosts []string) string {
	if len(hosts) == 0 {
		return " on the hosts"
	}
	return " on " + elide(hosts, 4)
}

// varyFlags writes fields as --vary takes them: one flag for each register.
func varyFlags(names []string) []string {
	var flags []string
	var last string
	for _, name := range names {
		register, field, dotted := strings.Cut(name, ".")
		if dotted && register == last {
			flags[len(flags)-1] += "," + field
			continue
		}
		flags = append(flags, "--vary "+name)
		last = register
	}
	return flags
}
