// The contract of a directory: what each backend must do, as tests. Each kind of tests includes
// this once and says how to make a World of its backend:
//
//   INSTANTIATE_TEST_SUITE_P(Local, DirectoryContract, ::testing::Values(&MakeLocalWorld));
#ifndef GRID_TESTS_DIRECTORY_CONTRACT_H_
#define GRID_TESTS_DIRECTORY_CONTRACT_H_

#include "tests/directory/contract_flush.h"
#include "tests/directory/contract_holding.h"
#include "tests/directory/contract_leases.h"
#include "tests/directory/contract_rows.h"
#include "tests/directory/contract_server.h"
#include "tests/directory/contract_watching.h"
#include "tests/directory/world.h"

#endif  // GRID_TESTS_DIRECTORY_CONTRACT_H_
