// Renders the templates of a chart as Helm does: Go's text/template with the functions of sprig.
//
//	helm CHART NAMESPACE FILE
//
// FILE has a list of values (JSON). For each of them, a line of JSON has the text of each template.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"gopkg.in/yaml.v3"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Files gives templates the other files of the chart.
type files struct{ folder string }

func (f files) Get(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(f.folder, name))
	return string(text), err
}

type versions []string

func (v versions) Has(name string) bool {
	for _, each := range v {
		if each == name {
			return true
		}
	}
	return false
}

// toYaml goes through JSON, so that numbers look as they do in Helm.
func toYaml(value any) (string, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	var plain any
	if err := yaml.Unmarshal(text, &plain); err != nil {
		return "", err
	}
	out, err := yaml.Marshal(plain)
	return strings.TrimSuffix(string(out), "\n"), err
}

func parse(chart string) *template.Template {
	root := template.New("chart").Option("missingkey=zero")
	functions := sprig.TxtFuncMap()
	delete(functions, "env")
	delete(functions, "expandenv")
	functions["toYaml"] = toYaml
	functions["include"] = func(name string, data any) (string, error) {
		var out bytes.Buffer
		err := root.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	root.Funcs(functions)
	paths, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	check(err)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		check(err)
		_, err = root.New("polytrace/templates/" + filepath.Base(path)).Parse(string(text))
		check(err)
	}
	return root
}

func main() {
	chart, namespace := os.Args[1], os.Args[2]
	root := parse(chart)
	text, err := os.ReadFile(os.Args[3])
	check(err)
	var all []map[string]any
	check(json.Unmarshal(text, &all))
	for _, values := range all {
		data := map[string]any{
			"Values":       values,
			"Chart":        map[string]any{"Name": "polytrace", "Version": "0.1.0", "AppVersion": "0.1.0"},
			"Release":      map[string]any{"Name": "test", "Namespace": namespace, "Service": "Helm"},
			"Template":     map[string]any{"BasePath": "polytrace/templates"},
			"Files":        files{chart},
			"Capabilities": map[string]any{"APIVersions": versions{"v1"}},
		}
		rendered := map[string]string{}
		for _, each := range root.Templates() {
			name := filepath.Base(each.Name())
			if !strings.HasSuffix(name, ".yaml") {
				continue
			}
			var out bytes.Buffer
			check(each.Execute(&out, data))
			// Helm does so, too
			rendered[name] = strings.ReplaceAll(out.String(), "<no value>", "")
		}
		check(json.NewEncoder(os.Stdout).Encode(rendered))
	}
}
