package main

import (
	"fmt"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/progress"
)

// poolsCommand divides hosts into pools that each have a contract.
type poolsCommand struct {
	hostArguments
	policyFlags
	Rungs int    `default:"4" placeholder:"N" help:"Show at most this many rungs of the ladder."`
	For   string `placeholder:"VMM" help:"Only pools in which every move works that this VMM makes: qemu, qemu@VERSION, firecracker, or any. The ladder then has one rung."`
	JSON  bool   `help:"Print the answer as JSON."`
}

func (c *poolsCommand) Run(s *session) (int, error) {
	if c.Rungs < 1 {
		return 0, &inputError{fmt.Errorf("--rungs %d: want at least 1", c.Rungs)}
	}
	policy, err := c.policy(s)
	if err != nil {
		return 0, err
	}
	captures, err := c.load(s)
	if err != nil {
		return 0, err
	}
	task := progress.Start(s.ctx, "finding pools of "+count(len(captures), "host"), 0, progress.Things)
	result, err := c.pools(captures, policy)
	task.Done()
	if err != nil {
		return 0, &inputError{err}
	}
	status := statusYes
	if len(result.Alone) > 0 {
		status = worstStatus(result.Alone)
	}
	if c.JSON {
		return status, s.printJSON(poolsJSON(result))
	}
	c.print(s, len(captures), result)
	return status, nil
}

// pools finds the pools, with moves in mind where a VMM was named.
func (c *poolsCommand) pools(captures []*guise.Capture, policy *guise.Policy) (*guise.PoolsResult, error) {
	if c.For == "" {
		return guise.Pools(captures, policy, c.Rungs)
	}
	vmms, err := vmmsNamed(c.For)
	if err != nil {
		return nil, err
	}
	return guise.PoolsThatMove(captures, policy, vmms)
}

// print writes the ladder for a person.
func (c *poolsCommand) print(s *session, hosts int, result *guise.PoolsResult) {
	if len(result.Rungs) > 0 {
		fewest := len(result.Rungs[0].Pools)
		fmt.Fprintf(s.stdout, "%s for %s (%s)", count(fewest, "pool"), count(hosts, "host"), count(result.Distinct, "distinct view"))
		switch {
		case result.Exact:
			fmt.Fprintln(s.stdout, "; no way has fewer")
		default:
			needed := "are needed"
			if result.Bound == 1 {
				needed = "is needed"
			}
			fmt.Fprintf(s.stdout, "; at least %d %s, and not every way was tried: at most %d too many\n", result.Bound, needed, fewest-result.Bound)
		}
	}
	for i := range result.Rungs {
		c.printRung(s, &result.Rungs[i], i > 0)
	}
	c.printParted(s, result.Parted)
	if len(result.Rungs) > 0 && len(result.Alone) > 0 {
		fmt.Fprintln(s.stdout)
	}
	for i := range result.Alone {
		claim, more := aloneHeadline(&result.Alone[i])
		s.headline(result.Alone[i].Verdict, claim, more)
	}
}

// printParted says for which moves pools were divided.
func (c *poolsCommand) printParted(s *session, parted []guise.Move) {
	if len(parted) == 0 {
		return
	}
	fmt.Fprintf(s.stdout, "\napart, as a VM under the contract of both does not move\n")
	rows := [][]string{{"from", "to", "VMM", "outcome", "because of"}}
	for i := range parted {
		if i == shortMove {
			s.hint("%d more in --json", len(parted)-i)
			break
		}
		m := &parted[i]
		p := &m.Points[0]
		because := p.Name()
		if p.Errno != "" {
			because += " (" + p.Errno + ")"
		}
		rows = append(rows, []string{m.From, m.To, string(m.VMM), m.Outcome.String(), because})
	}
	columns(s.stdout, rows)
}

// aloneHeadline says of a host that is in no pool whether it has a contract.
func aloneHeadline(v *guise.HostVerdict) (claim, more string) {
	if v.Verdict == guise.No {
		return "no contract", joined(v.Host+" has none even by itself", because(v))
	}
	return "unknown", joined(fmt.Sprintf("whether %s has a contract even by itself", v.Host), because(v))
}

func (c *poolsCommand) printRung(s *session, rung *guise.Rung, gains bool) {
	fmt.Fprintf(s.stdout, "\n%s\n", count(len(rung.Pools), "pool"))
	rows := [][]string{{"", "VMs with", "host", ""}}
	for i, pool := range rung.Pools {
		for j, host := range pool.Hosts {
			label, setup := "", ""
			if j == 0 {
				label, setup = fmt.Sprint(i+1), setupText(&pool.Contract.Setup)
			}
			gives := "gives up nothing"
			if lost := pool.GivesUp[host]; len(lost) > 0 {
				gives = "gives up " + elide(lost, 6)
			}
			if gained := rung.Gains[host]; gains && len(gained) > 0 {
				gives += "; gains " + elide(gained, 6)
			}
			rows = append(rows, []string{label, setup, host, gives})
		}
	}
	plainColumns(s.stdout, rows)
}

type poolJSON struct {
	Hosts    []string            `json:"hosts"`
	Setup    string              `json:"setup"`
	Contract string              `json:"contractDigest"`
	GivesUp  map[string][]string `json:"givesUp"`
}

type rungJSON struct {
	Pools []poolJSON          `json:"pools"`
	Gains map[string][]string `json:"gains"`
}

type poolsAnswer struct {
	Rungs    []rungJSON        `json:"rungs"`
	Exact    bool              `json:"exact"`
	Bound    int               `json:"bound"`
	Distinct int               `json:"distinctViews"`
	Alone    []hostVerdictJSON `json:"alone"`
	// Parted are moves that pools were divided for, where a VMM was named.
	Parted []moveJSON `json:"parted,omitzero"`
}

func poolsJSON(result *guise.PoolsResult) poolsAnswer {
	answer := poolsAnswer{Exact: result.Exact, Bound: result.Bound, Distinct: result.Distinct, Alone: verdictsJSON(result.Alone), Rungs: []rungJSON{}}
	for _, r := range result.Rungs {
		rung := rungJSON{Gains: r.Gains}
		for _, p := range r.Pools {
			rung.Pools = append(rung.Pools, poolJSON{p.Hosts, p.Contract.Setup.Key(), p.Contract.Digest(), p.GivesUp})
		}
		answer.Rungs = append(answer.Rungs, rung)
	}
	for i := range result.Parted {
		answer.Parted = append(answer.Parted, moveDocument(&result.Parted[i]))
	}
	return answer
}
