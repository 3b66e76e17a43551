package move

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/vm"
)

// Foreseen holds what became of a VM against what guise.MoveOne said of the move: both
// must name the same registers, with the same errno; with which one a setup is refused is
// not foretold. What was left open was not foreseen,
// and is not wrong. Each line is about one register; unforeseen is nil where they agree.
func Foreseen(foretold *guise.Move, arrival *Arrival) (foreseen, unforeseen []string) {
	predicted := map[string][]*guise.MovePoint{}
	for i := range foretold.Points {
		p := &foretold.Points[i]
		predicted[p.Register] = append(predicted[p.Register], p)
	}
	happened := refusals(arrival)
	for register, errno := range happened {
		points := predicted[register]
		f, u := wasRefused(register, points, errno)
		foreseen, unforeseen = append(foreseen, f...), append(unforeseen, u...)
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

// wasRefused judges what was foretold of a register that was refused.
func wasRefused(register string, points []*guise.MovePoint, errno syscall.Errno) (foreseen, unforeseen []string) {
	if slices.ContainsFunc(points, func(p *guise.MovePoint) bool { return p.Outcome == guise.MoveUnknown }) {
		return []string{register + " was left open"}, nil
	}
	var other *guise.MovePoint
	for _, p := range points {
		switch {
		case p.Outcome != guise.MoveRefused:
		case errno == 0, register == "setup", p.Errno == vm.ErrnoName(errno):
			return []string{fmt.Sprintf("%s is refused (%s)", p.Name(), errnoText(errno))}, nil
		default:
			other = p
		}
	}
	if other != nil {
		return nil, []string{fmt.Sprintf("%s was refused with %s, not %s", register, errnoText(errno), cmp.Or(other.Errno, "by guise"))}
	}
	return nil, []string{fmt.Sprintf("%s was refused (%s)", register, errnoText(errno))}
}

// refusals are the registers that were refused, with an errno, 0 where it was not the
// kernel that refused.
func refusals(arrival *Arrival) map[string]syscall.Errno {
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
func notRefused(register string, points []*guise.MovePoint, arrival *Arrival, others bool) (foreseen, unforeseen []string) {
	for _, p := range points {
		differs := slices.ContainsFunc(arrival.Differences, func(d Difference) bool { return strings.HasSuffix(d.What, " "+register) })
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
