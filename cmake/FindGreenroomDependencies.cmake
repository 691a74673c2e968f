# Finds what the library is built on and gives it as the list of targets
# GREENROOM_DEPENDENCIES: greenroom::msgpackc, greenroom::nng,
# greenroom::sodium, greenroom::ssl, greenroom::crypto and Threads::Threads.
#
# The build and the installed package (for the static library) share this
# file. It looks for headers and libraries only: the packages' own CMake and
# pkg-config files differ in name, target and further demands between the
# versions in use (msgpackc in 4.0 is msgpack-c in 6.0; nng 1.5 has no
# pkg-config file; libsodium has no CMake package).
include(FindPackageHandleStandardArgs)

function(_greenroom_dependency name header)
    find_path(GREENROOM_${name}_INCLUDE_DIR ${header})
    find_library(GREENROOM_${name}_LIBRARY NAMES ${ARGN})
    mark_as_advanced(GREENROOM_${name}_INCLUDE_DIR GREENROOM_${name}_LIBRARY)
    if(NOT TARGET greenroom::${name}
        AND GREENROOM_${name}_INCLUDE_DIR AND GREENROOM_${name}_LIBRARY
    )
        add_library(greenroom::${name} UNKNOWN IMPORTED)
        set_target_properties(greenroom::${name} PROPERTIES
            IMPORTED_LOCATION "${GREENROOM_${name}_LIBRARY}"
            INTERFACE_INCLUDE_DIRECTORIES "${GREENROOM_${name}_INCLUDE_DIR}"
        )
    endif()
endfunction()

_greenroom_dependency(msgpackc msgpack.h msgpack-c msgpackc)
_greenroom_dependency(nng nng/nng.h nng)
_greenroom_dependency(sodium sodium.h sodium)
_greenroom_dependency(ssl openssl/ssl.h ssl)
_greenroom_dependency(crypto openssl/x509.h crypto)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads QUIET)

set(GREENROOM_DEPENDENCIES
    greenroom::msgpackc greenroom::nng greenroom::sodium
    greenroom::ssl greenroom::crypto Threads::Threads
)
find_package_handle_standard_args(GreenroomDependencies
    REQUIRED_VARS
        GREENROOM_msgpackc_LIBRARY GREENROOM_msgpackc_INCLUDE_DIR
        GREENROOM_nng_LIBRARY GREENROOM_nng_INCLUDE_DIR
        GREENROOM_sodium_LIBRARY GREENROOM_sodium_INCLUDE_DIR
        GREENROOM_ssl_LIBRARY GREENROOM_ssl_INCLUDE_DIR
        GREENROOM_crypto_LIBRARY GREENROOM_crypto_INCLUDE_DIR
        Threads_FOUND
    REASON_FAILURE_MESSAGE "./dev setup installs what is missing"
)
