# cmake -DZIP=… -DWORK=… -DEMULATOR=… -DOUTCOMES=… -DOTHER=… -P check.cmake: unpacks the bundle elsewhere, runs a part of it,
# and then one that has programs in it whose tests fail (OUTCOMES), and that are no tests at all (OTHER).
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}")
execute_process(COMMAND ${CMAKE_COMMAND} -E tar xf "${ZIP}" WORKING_DIRECTORY "${WORK}" COMMAND_ERROR_IS_FATAL ANY)
set(folder "${WORK}/troupe-selftest")

set(nothing /dev/null)
if(CMAKE_HOST_WIN32)
  set(nothing NUL)
endif()

function(run expected)
  execute_process(COMMAND ${EMULATOR} "${folder}/troupe-selftest.exe" ${ARGN} WORKING_DIRECTORY "${WORK}"
    INPUT_FILE ${nothing} RESULT_VARIABLE result OUTPUT_VARIABLE screen ERROR_VARIABLE screen)
  file(READ "${folder}/troupe-selftest.txt" report)
  if(NOT result EQUAL expected)
    message(FATAL_ERROR "${ARGN}: exit code ${result} instead of ${expected}:\n${screen}\n${report}")
  endif()
  set(report "${report}" PARENT_SCOPE)
  set(screen "${screen}" PARENT_SCOPE)
endfunction()

function(expect text)
  foreach(pattern "${text}" ${ARGN})
    if(NOT report MATCHES "${pattern}")
      message(FATAL_ERROR "\"${pattern}\" is not in the report:\n${report}")
    endif()
  endforeach()
endfunction()

run(0 mailbox_error example_echo sched_clock)
expect("^Troupe [0-9.]+, [^\r\n]+, gcc " "system:    Windows [0-9]+\\.[0-9]+\\.[0-9]+" "processor: [^\r\n]+"
  "cores:     [1-9][0-9]* in [1-9]" "memory:    [1-9][0-9]* MiB")
expect("---- test_mailbox_error.exe" "---- test_mailbox_error_windows.exe" "---- test_sched_clock.exe"
  "---- test_example_echo.exe" "\\[PASS\\] echo::a_mebibyte_in_odd_chunks_comes_back ")

# The last line is the sum of the others, and every test has a line.
string(REGEX MATCHALL "Tested: [0-9]+" counts "${report}")
string(REGEX MATCHALL "\\[PASS\\] " passed "${report}")
list(LENGTH passed passing)
list(POP_BACK counts last)
set(sum 0)
foreach(count ${counts})
  string(REGEX REPLACE "[^0-9]" "" count "${count}")
  math(EXPR sum "${sum} + ${count}")
endforeach()
if(NOT last STREQUAL "Tested: ${sum}" OR NOT sum EQUAL passing OR sum LESS 20)
  message(FATAL_ERROR "${last} is not ${sum}, or ${passing}:\n${report}")
endif()
expect("Synthesis: Tested: ${sum} \\| Passing: ${sum} \\| Failing: 0 \\| Crashing: 0\n$")
if(NOT screen MATCHES "Synthesis: Tested: ${sum} ")
  message(FATAL_ERROR "the screen does not say so:\n${screen}")
endif()

run(1 no-such-program)
expect("Synthesis: Tested: 0 \\| Passing: 0 \\| Failing: 0 \\| Crashing: 0\n$")

file(COPY_FILE "${OUTCOMES}" "${folder}/test_bad_outcomes.exe")
file(COPY_FILE "${OTHER}" "${folder}/test_bad_other.exe")
file(WRITE "${folder}/test_bad_program.exe" "this is none")
run(1 test_bad_)
expect("\\[CRASH\\] crashes::" "\\[CRASH\\] test_bad_other.exe has ended too early" "test_bad_program.exe does not start"
  "Skipped: [1-9]" "Synthesis: Tested: 24 \\| Passing: 5 \\| Failing: 19 \\| Crashing: 8\n$")
file(REMOVE_RECURSE "${WORK}")
