/* library_types.h - CUDA's names of number types, those that kernels/cuda gives to cuBLAS. */
#ifndef BD_EMU_LIBRARY_TYPES_H
#define BD_EMU_LIBRARY_TYPES_H

typedef enum cudaDataType_t { CUDA_R_32F = 0, CUDA_R_16F = 2, CUDA_R_16BF = 14 } cudaDataType;

#endif
