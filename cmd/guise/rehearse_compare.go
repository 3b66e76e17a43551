package main

import (
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/vm"
	"github.com/guise-project/guise/vm/move"
)

// compareWithMove holds what became of a VM against what guise moves says of the move:
// both must name the same registers, with the same errno. What was left open was not
// foreseen, and is not wrong.
func compareWithMove(foretold *guise.Move, arrival *move.Arrival) (foreseen, unforeseen []string) {
	predicted := map[string][]*guise.MovePoint{}
	for i := range foretold.Points {
		p := &foretold.Points[i]
		predicted[p.Register] = append(predicted[p.Register], p)
	}
	happened := refusals(arrival)
	for register, errno := range happened {
		points := predicted[register]
		refused := slices.IndexFunc(points, func(p *guise.MovePoint) bool { return p.Outcome == guise.MoveRefused })
		switch {
		case slices.ContainsFunc(points, func(p *guise.MovePoint) bool { return p.Outcome == guise.MoveUnknown }):
			foreseen = append(foreseen, register+" was left open")
		case refused < 0:
			unforeseen = append(unforeseen, fmt.Sprintf("%s was refused (%s)", register, errnoText(errno)))
		case errno != 0 && points[refused].Errno != vm.ErrnoName(errno):
			unforeseen = append(unforeseen, fmt.Sprintf("%s was refused with %s, not %s", register, errnoText(errno), points[refused].Errno))
		default:
			foreseen = append(foreseen, fmt.Sprintf("%s is refused (%s)", points[refused].Name(), errnoText(errno)))
		}
	}
	for register, points := range predicted {
		if _, ok := happened[register]; ok {
			continue
		}
		f, u := notRefused(register, points, arrival, len(happened) > 0)
		foreseen, unforeseen = append(foreseen, f...), append(unforeseen, u...)
	}
	for i := range arrival.Differences {
		_, register, read := strings.Cut(arrival.Differences[i].What, "mrs ")
		if read && len(predicted[register]) == 0 {
			unforeseen = append(unforeseen, "a guest sees another "+register)
		}
	}
	slices.Sort(foreseen)
	slices.Sort(unforeseen)
	return foreseen, slices.Compact(unforeseen)
}

// refusals are the registers that were refused, with an errno, 0 where it was not the
// kernel that refused.
func refusals(arrival *move.Arrival) map[string]syscall.Errno {
	refused := map[string]syscall.Errno{}
	for i := range arrival.Contract {
		refused[arrival.Contract[i].Register] = arrival.Contract[i].Errno
	}
	for _, r := range arrival.Refused {
		refused[r.Name] = r.Errno
	}
	return refused
}

func errnoText(errno syscall.Errno) string {
	if errno == 0 {
		return "not by the kernel"
	}
	return errno.Error()
}

// notRefused judges what was foretold of a register that was taken, or never written.
func notRefused(register string, points []*guise.MovePoint, arrival *move.Arrival, others bool) (foreseen, unforeseen []string) {
	for _, p := range points {
		differs := slices.ContainsFunc(arrival.Differences, func(d move.Difference) bool { return strings.HasSuffix(d.What, " "+register) })
		switch {
		case p.Outcome == guise.MoveUnknown:
			foreseen = append(foreseen, p.Name()+" was left open")
		case differs:
			foreseen = append(foreseen, p.Name()+" is taken, and a guest sees another value")
		case arrival.Looked == 0 && others:
			// Nothing was written, or nobody looked, as something else was refused.
		case p.Outcome == guise.MoveRefused:
			unforeseen = append(unforeseen, p.Name()+" was taken")
		}
	}
	return foreseen, unforeseen
}
