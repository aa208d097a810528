# cmake "-DCOMMAND=program;…" -P check_outcomes.cmake: runs outcomes.c and checks that every test is reported as its suite
# says, that none is missing, and what the last line and the exit code are.
cmake_minimum_required(VERSION 3.25)

function(run expected_result)
  execute_process(COMMAND ${COMMAND} ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL expected_result)
    message(FATAL_ERROR "${ARGN}: exit code ${result} instead of ${expected_result}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(expect text)
  string(FIND "${output}" "${text}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "\"${text}\" is not in the output:\n${output}")
  endif()
endfunction()

run(0 --list)
string(REGEX MATCHALL "[a-z_]+/[a-z_]+" tests "${output}")
list(LENGTH tests count)

run(1 --jobs=1)
string(REGEX MATCHALL "\\[[A-Z]+\\] [a-z_]+::[a-z_]+" lines "${output}")
list(LENGTH lines reported)
if(NOT reported EQUAL count OR count LESS 20)
  message(FATAL_ERROR "${reported} of ${count} tests were reported:\n${output}")
endif()
foreach(test ${tests})
  string(REPLACE "/" "::" name "${test}")
  if(test MATCHES "^passes/")
    expect("[PASS] ${name} (")
  elseif(test MATCHES "^fails/")
    expect("[FAIL] ${name} (")
  elseif(test MATCHES "^crashes/")
    expect("[CRASH] ${name} (")
  elseif(test MATCHES "^skips/")
    expect("[SKIP] ${name} (")
  else()
    message(FATAL_ERROR "what should become of ${name}?")
  endif()
endforeach()
expect("outcomes.c:") # where an assertion failed
expect("of numbers")
expect("Tested: 22 | Passing: 5 | Failing: 17 | Crashing: 6")

run(0 --filter=passes/what_*)
expect("Tested: 2 | Passing: 2 | Failing: 0 | Crashing: 0")
run(0 --filter=skips/what_cannot*)
run(1 --filter=no/such*) # a run without a test proves nothing
run(2 "--filter=passes/{what}") # a pattern it does not know
run(2 --jokes=1)
