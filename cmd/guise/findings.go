package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
)

// findingTable prints findings grouped by register, a column for each host, or
// one column of witnesses where there are more than four. With basis it says
// beside each what it rests on.
func findingTable(w io.Writer, findings []guise.Finding, basis bool) {
	if len(findings) == 0 {
		return
	}
	hosts := findingHosts(findings)
	short := shortNames(hosts)
	wide := len(hosts) > 4
	wanted := slices.ContainsFunc(findings, func(f guise.Finding) bool { return f.Wanted != "" })
	header := []string{""}
	if wanted {
		header = append(header, "wanted")
	}
	var right []int
	if wide {
		header = append(header, "hosts that show it")
	} else {
		for _, host := range hosts {
			right = append(right, len(header))
			header = append(header, short[host])
		}
	}
	header = append(header, "who can change it", "what it means in a guest")
	if basis {
		header = append(header, "rests on")
	}
	var rows [][]string
	register := ""
	for i := range findings {
		f := &findings[i]
		label := f.Register
		if f.Field != "" {
			if f.Register != register {
				rows = append(rows, []string{f.Register})
			}
			label = "  ." + f.Field
		}
		register = f.Register
		row := []string{label}
		if wanted {
			row = append(row, f.Wanted)
		}
		row = append(row, findingValues(f, hosts, short, wide)...)
		row = append(row, f.Who, f.Means)
		if basis {
			row = append(row, f.Rests)
		}
		rows = append(rows, row)
	}
	if len(rows) > 0 && len(rows[0]) == 1 {
		header[0] = rows[0][0]
		rows = rows[1:]
	}
	columns(w, append([][]string{header}, rows...), right...)
}

// findingHosts returns the hosts that findings name, in order of appearance.
func findingHosts(findings []guise.Finding) []string {
	var hosts []string
	for i := range findings {
		for _, v := range findings[i].Hosts {
			if !slices.Contains(hosts, v.Host) {
				hosts = append(hosts, v.Host)
			}
		}
	}
	return hosts
}

// shownText is the text of a value in a table: of a list of setups only the first.
func shownText(f *guise.Finding, v *guise.HostValue) string {
	if f.Kind == guise.KindSetup && f.Register == "setup" {
		return elide(strings.Split(v.Value, ", "), 1)
	}
	return v.Value
}

// findingValues returns the cells that say what hosts show.
func findingValues(f *guise.Finding, hosts []string, short map[string]string, wide bool) []string {
	if wide {
		var shown []string
		for _, v := range f.Hosts {
			shown = append(shown, short[v.Host]+" "+shownText(f, &v))
		}
		return []string{strings.Join(shown, ", ")}
	}
	cells := make([]string, len(hosts))
	for i, host := range hosts {
		for _, v := range f.Hosts {
			if v.Host == host {
				cells[i] = shownText(f, &v)
			}
		}
	}
	return cells
}

// identityTable prints findings about MIDR_EL1, REVIDR_EL1 and AIDR_EL1.
func identityTable(w io.Writer, findings []guise.Finding) {
	if len(findings) == 0 {
		return
	}
	fmt.Fprintf(w, "  and identity differs; %s:\n", findings[0].Who)
	var rows [][]string
	for i := range findings {
		row := []string{"  " + findings[i].Register}
		var cores []string
		for _, v := range findings[i].Hosts {
			row = append(row, v.Value)
			if findings[i].Register == arm64.Registers[arm64.MIDREL1].Name {
				cores = append(cores, coreName(v.Value))
			}
		}
		rows = append(rows, append(row, strings.Join(cores, ", ")))
	}
	plainColumns(w, rows, 1, 2)
}

// coreName names the core of a MIDR_EL1 value as findings print it.
func coreName(midr string) string {
	var value uint64
	if _, err := fmt.Sscanf(midr, "%v", &value); err != nil {
		return midr
	}
	return arm64.DescribeCore(value)
}

// split divides findings by kind and verdict into those of identity and the
// others of a verdict.
func splitFindings(findings []guise.Finding, verdict guise.Verdict) (identity, others []guise.Finding) {
	for i := range findings {
		switch {
		case findings[i].Verdict != verdict:
		case findings[i].Kind == guise.KindIdentity && findings[i].Wanted == "":
			identity = append(identity, findings[i])
		default:
			others = append(others, findings[i])
		}
	}
	return identity, others
}
