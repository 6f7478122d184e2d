module stopleak.dev/tools/stdtable

go 1.24
