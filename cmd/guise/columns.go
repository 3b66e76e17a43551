package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// The rules of tables.
//
//   - Rows in aligned columns, two spaces apart and indented by two.
//   - A table fits the width of the terminal: the widest columns are wrapped, at
//     spaces, to as many lines as that takes.
//   - Where not even the longest words fit beside each other, each row is a list
//     of its cells, with the heading before each.

const (
	columnGap = 2
	indent    = 2
)

// columns prints rows, the first of which are headings. Columns whose place is in
// right are right-aligned.
func columns(w io.Writer, rows [][]string, right ...int) { printColumns(w, rows, true, right) }

// plainColumns is columns for rows without headings.
func plainColumns(w io.Writer, rows [][]string, right ...int) { printColumns(w, rows, false, right) }

func printColumns(w io.Writer, rows [][]string, headings bool, right []int) {
	widths, fits := fitColumns(rows, width(w))
	if !fits {
		if !headings {
			rows = append([][]string{nil}, rows...)
		}
		stack(w, rows[0], rows[1:])
		return
	}
	t := table.NewWriter()
	style := table.StyleDefault
	style.Box = table.BoxStyle{PaddingLeft: "", PaddingRight: strings.Repeat(" ", columnGap)}
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format = table.FormatOptions{}
	t.SetStyle(style)
	var configs []table.ColumnConfig
	for place, most := range widths {
		configs = append(configs, table.ColumnConfig{Number: place + 1, WidthMax: most, WidthMaxEnforcer: text.WrapSoft})
	}
	for _, place := range right {
		if place < len(configs) {
			configs[place].Align = text.AlignRight
		}
	}
	t.SetColumnConfigs(configs)
	for _, row := range rows {
		cells := make(table.Row, len(row))
		for i, cell := range row {
			cells[i] = cell
		}
		t.AppendRow(cells)
	}
	for line := range strings.SplitSeq(t.Render(), "\n") {
		fmt.Fprintf(w, "%*s%s\n", indent, "", strings.TrimRight(line, " "))
	}
}

// fitColumns returns how wide each column may be for lines of most characters, 0
// for as wide as it is. It is false where the longest words do not fit.
func fitColumns(rows [][]string, most int) (widths []int, fits bool) {
	var natural, least []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(natural) {
				natural, least = append(natural, 0), append(least, 0)
			}
			natural[i] = max(natural[i], text.StringWidthWithoutEscSequences(cell))
			for word := range strings.FieldsSeq(cell) {
				least[i] = max(least[i], text.StringWidthWithoutEscSequences(word))
			}
			// What stands before the first word is kept with it.
			lead := len(cell) - len(strings.TrimLeft(cell, " "))
			if first, _, _ := strings.Cut(cell[lead:], " "); first != "" {
				least[i] = max(least[i], lead+text.StringWidthWithoutEscSequences(first))
			}
		}
	}
	widths = make([]int, len(natural))
	room := most - indent - columnGap*(len(natural)-1)
	if most == 0 || sum(natural) <= room {
		return widths, true
	}
	if sum(least) > room {
		return nil, false
	}
	// The widest that all may be, found from above: wider columns give first.
	for level := room; level > 0; level-- {
		total := 0
		for i := range widths {
			widths[i] = max(min(natural[i], level), least[i])
			total += widths[i]
		}
		if total <= room {
			break
		}
	}
	return widths, true
}

func sum(numbers []int) (total int) {
	for _, n := range numbers {
		total += n
	}
	return total
}

// stack prints each row as a list: its first cell, and below it the others with
// their headings, as far as they have some.
func stack(w io.Writer, heading []string, rows [][]string) {
	if len(heading) > 0 && heading[0] != "" {
		fmt.Fprintf(w, "%*s%s\n", indent, "", heading[0])
	}
	room := max(width(w)-3*indent, 10)
	for _, row := range rows {
		if len(row) == 0 {
			continue
		}
		if row[0] != "" {
			fmt.Fprintf(w, "%*s%s\n", indent, "", row[0])
		}
		for j, cell := range row[1:] {
			if cell == "" {
				continue
			}
			if j+1 < len(heading) && heading[j+1] != "" {
				cell = heading[j+1] + ": " + cell
			}
			for line := range strings.SplitSeq(text.WrapSoft(cell, room), "\n") {
				fmt.Fprintf(w, "%*s%s\n", 3*indent, "", strings.TrimRight(line, " "))
			}
		}
	}
}
