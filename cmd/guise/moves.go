package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/guise-project/guise"
)

// movesCommand says what comes of moves between hosts, by a VMM.
type movesCommand struct {
	Hosts        []string `arg:"" name:"host" help:"Capture or fleet files, - for standard input, catalogue names or model:VERSION/CPU: at least two. Before them may stand the contract of the VM; without one it is a VM that was given what its host shows."`
	For          string   `default:"any" placeholder:"VMM" help:"The VMM that moves: qemu, qemu@VERSION (qemu@11.1), firecracker, or any: the worst that comes of each."`
	From         string   `placeholder:"NAME" help:"Only moves from this host."`
	To           string   `placeholder:"NAME" help:"Only moves to this host."`
	Setup        string   `placeholder:"SETUP" help:"The setup of a VM without a contract, as pauth+sve/vgic3; else what the VMM makes unasked."`
	AssumeKernel string   `placeholder:"VERSION" help:"Derive what hosts take from this kernel's profile where it was not tried."`
	JSON         bool     `name:"json" help:"Print the answer as JSON."`
	Verbose      bool     `short:"v" help:"Give the reasons of every move."`
}

type movesJSON struct {
	VMM      string     `json:"vmm"`
	Contract string     `json:"contract,omitzero"`
	Moves    []moveJSON `json:"moves"`
}

type moveJSON struct {
	From    string          `json:"from"`
	To      string          `json:"to"`
	VMM     guise.VMM       `json:"vmm"`
	Setup   string          `json:"setup"`
	Outcome string          `json:"outcome"`
	Points  []movePointJSON `json:"points"`
}

type movePointJSON struct {
	Outcome  string    `json:"outcome"`
	Side     string    `json:"side"`
	Register string    `json:"register"`
	Field    string    `json:"field,omitzero"`
	Carried  valueJSON `json:"carried,omitzero"`
	There    valueJSON `json:"there,omitzero"`
	Seen     valueJSON `json:"seen,omitzero"`
	Errno    string    `json:"errno,omitzero"`
	Means    string    `json:"means,omitzero"`
}

func (c *movesCommand) Run(s *session) (int, error) {
	vmms, err := vmmsNamed(c.For)
	if err != nil {
		return 0, err
	}
	contract, captures, err := c.subjects(s)
	if err != nil {
		return 0, err
	}
	for flag, name := range map[string]string{"--from": c.From, "--to": c.To} {
		if name != "" && !slices.ContainsFunc(captures, func(h *guise.Capture) bool { return h.Name == name }) {
			return 0, &inputError{fmt.Errorf("%s %s: is none of the hosts", flag, name)}
		}
	}
	moves, err := guise.Moves(contract, captures, c.Setup, vmms, func(from, to *guise.Capture) bool {
		return (c.From == "" || from.Name == c.From) && (c.To == "" || to.Name == c.To)
	})
	if err != nil {
		return 0, &inputError{err}
	}
	verdict := worstOutcome(moves)
	if c.JSON {
		return statusOf(verdict), s.printJSON(movesDocument(c.For, contract, moves))
	}
	printMoves(s, contract, captures, moves, c.Verbose)
	return statusOf(verdict), nil
}

// vmmsNamed are the VMMs that --for names: one, or any of those whose moves are known.
func vmmsNamed(name string) ([]guise.VMM, error) {
	if name == "any" {
		return guise.VMMs, nil
	}
	vmm, err := guise.ParseVMM(name)
	if err != nil {
		return nil, &inputError{fmt.Errorf("--for: %w", err)}
	}
	return []guise.VMM{vmm}, nil
}

// subjects reads the contract, where there is one, and the hosts.
func (c *movesCommand) subjects(s *session) (*guise.Contract, []*guise.Capture, error) {
	contract, captures, err := s.reader.open(c.Hosts[0]).subject()
	if err != nil {
		return nil, nil, err
	}
	arguments := hostArguments{Hosts: c.Hosts[1:], AssumeKernel: c.AssumeKernel}
	others, err := arguments.load(s)
	if err != nil {
		return nil, nil, err
	}
	if err := arguments.assume(captures); err != nil {
		return nil, nil, err
	}
	captures = append(captures, others...)
	if len(captures) < 2 {
		return nil, nil, &inputError{fmt.Errorf("there is %s; want two, to move from and to", count(len(captures), "host"))}
	}
	return contract, captures, nil
}

func movesDocument(vmm string, contract *guise.Contract, moves []guise.Move) movesJSON {
	document := movesJSON{VMM: vmm, Moves: make([]moveJSON, len(moves))}
	if contract != nil {
		document.Contract = contract.Name
	}
	for i := range moves {
		document.Moves[i] = moveDocument(&moves[i])
	}
	return document
}

func moveDocument(m *guise.Move) moveJSON {
	document := moveJSON{m.From, m.To, m.VMM, m.Setup.Key(), m.Outcome.String(), make([]movePointJSON, len(m.Points))}
	for j := range m.Points {
		p := &m.Points[j]
		document.Points[j] = movePointJSON{
			p.Outcome.String(), side(p), p.Register, p.Field,
			typed(p.Register, p.Carried), typed(p.Register, p.There), typed(p.Register, p.Seen), p.Errno, p.Means,
		}
	}
	return document
}

func side(p *guise.MovePoint) string {
	if p.Source {
		return "source"
	}
	return "target"
}

// printMoves gives a matrix of many moves, and of few the reasons.
func printMoves(s *session, contract *guise.Contract, captures []*guise.Capture, moves []guise.Move, verbose bool) {
	detailed := len(moves) <= 2 || verbose
	if len(moves) > 2 {
		matrix(s, captures, moves)
	}
	for i := range moves {
		if !detailed {
			break
		}
		if i > 0 || len(moves) > 2 {
			fmt.Fprintln(s.stdout)
		}
		printMove(s, contract, &moves[i], verbose)
	}
	if !detailed {
		s.hint("guise moves ... --from HOST --to HOST gives the reasons of one, -v those of all")
	}
}

// marks stand for what comes of a move in a matrix, and inWords says it in words.
var (
	marks   = [...]string{guise.MoveSame: "=", guise.MoveSeen: "~", guise.MoveUnknown: "?", guise.MoveRefused: "x"}
	inWords = [...]string{guise.MoveSame: "change nothing", guise.MoveSeen: "change what the guest sees", guise.MoveUnknown: "are not known", guise.MoveRefused: "are refused"}
)

// matrix prints what comes of each move: from the hosts of rows to those of columns.
func matrix(s *session, captures []*guise.Capture, moves []guise.Move) {
	var counts [guise.MoveRefused + 1]int
	cells := map[[2]string]string{}
	for i := range moves {
		counts[moves[i].Outcome]++
		cells[[2]string{moves[i].From, moves[i].To}] = marks[moves[i].Outcome]
	}
	var parts []string
	for outcome, n := range counts {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s (%s)", n, inWords[outcome], marks[outcome]))
		}
	}
	fmt.Fprintf(s.stdout, "%d moves: %s\n\n", len(moves), strings.Join(parts, ", "))
	heading := []string{"from \\ to"}
	for i := range captures {
		heading = append(heading, fmt.Sprint(i+1))
	}
	rows := [][]string{heading}
	for i, from := range captures {
		row := []string{fmt.Sprintf("%d %s", i+1, from.Name)}
		any := false
		for _, to := range captures {
			cell, moved := cells[[2]string{from.Name, to.Name}]
			if any = any || moved; !moved {
				cell = "."
			}
			row = append(row, cell)
		}
		if any {
			rows = append(rows, row)
		}
	}
	columns(s.stdout, rows)
}

// claims says what comes of a move, in words.
var claims = [...]string{
	guise.MoveSame: "moves from %s to %s, and its guest sees what it saw", guise.MoveSeen: "moves from %s to %s, and its guest then sees a change",
	guise.MoveUnknown: "whether it moves from %s to %s is not known", guise.MoveRefused: "does not move from %s to %s",
}

// shortMove is how many points of a move are printed without --verbose.
const shortMove = 12

func printMove(s *session, contract *guise.Contract, m *guise.Move, all bool) {
	vm := "a VM of setup " + m.Setup.Key()
	if contract != nil {
		vm = "a VM under " + contract.Name
	}
	claim := fmt.Sprintf(claims[m.Outcome], m.From, m.To)
	if m.Outcome != guise.MoveUnknown {
		claim = vm + " " + claim
	} else {
		claim = strings.Replace(claim, " it ", " "+vm+" ", 1)
	}
	s.headline(m.Outcome.Verdict(), claim, fmt.Sprintf("%s, by %s", count(len(m.Points), "point"), m.VMM))
	rows := [][]string{{"outcome", "register", "carried", "target", "then", "why"}}
	for i := range m.Points {
		p := &m.Points[i]
		if i == shortMove && !all {
			break
		}
		var why []string
		for _, part := range []string{p.Errno, p.Means} {
			if part != "" {
				why = append(why, part)
			}
		}
		if p.Source {
			why = append(why, "on the source")
		}
		rows = append(rows, []string{p.Outcome.String(), p.Name(), dashed(p.Carried), dashed(p.There), dashed(p.Seen), strings.Join(why, ": ")})
	}
	if len(rows) > 1 {
		fmt.Fprintln(s.stdout)
		columns(s.stdout, rows)
	}
	if n := len(m.Points) - shortMove; n > 0 && !all {
		s.hint("%d more with -v", n)
	}
}
