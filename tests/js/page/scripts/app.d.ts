export const app: import("../../../../js/types.d.ts").App;
