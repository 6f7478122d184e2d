module stopleak.dev/tests/typejudge

go 1.24
